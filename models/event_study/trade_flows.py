"""The whole trade by destination and month, from the evidence panel or a full partner table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.panel.evidence_panel import KINDS, PANEL_DESTINATIONS, EvidencePanel
from features.panel.partner_table import PartnerTable
from store.vocabulary import DESTINATIONS, WORLD

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TradeFlows:
    """Tonnes by destination and month; together they are the whole trade."""

    names: tuple[str, ...]
    first: int
    """Month number of the first column."""
    tonnes: Floats
    """Destinations x months, NaN where unknown."""
    stderr: Floats
    """Standard errors of the logs, 0 for a full table."""
    is_told: Flags
    """Whether a cell is a published figure, or pinned by some."""
    total_stderr: Floats
    """Standard error of the log of all destinations together, by month."""

    @property
    def cutoff(self) -> int:
        """Return the last month known, as a month number."""
        return self.first + int(self.tonnes.shape[1]) - 1

    @classmethod
    def of_panel(cls, panel: EvidencePanel) -> "TradeFlows":
        """Return the destinations of an evidence panel; only estimated months are not told."""
        rows = [PANEL_DESTINATIONS.index(name) for name in DESTINATIONS]
        return cls(
            names=DESTINATIONS,
            first=panel.first,
            tonnes=panel.tonnes[rows],
            stderr=panel.stderr[rows],
            is_told=panel.kind[rows] != KINDS.index("estimated"),
            total_stderr=panel.stderr[PANEL_DESTINATIONS.index(WORLD)],
        )

    @classmethod
    def of_table(cls, table: PartnerTable) -> "TradeFlows":
        """Return the partners of a full table; every known cell is told."""
        names = table.parts[WORLD]
        tonnes = table.tonnes.loc[list(names)].to_numpy(dtype=float)
        return cls(
            names=names,
            first=int(table.tonnes.columns[0]),
            tonnes=tonnes,
            stderr=np.zeros_like(tonnes),
            is_told=np.isfinite(tonnes),
            total_stderr=np.zeros(tonnes.shape[1]),
        )
