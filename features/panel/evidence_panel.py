"""The evidence panel as a type, solved or read from the store; nothing here solves one."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from store.arrays import Floats
from store.months import month_number, month_start, month_starts
from store.publications.panels import MONTH_COLUMNS, StoredPanel
from store.vocabulary import AGGREGATES, DESTINATIONS, WORLD

PANEL_DESTINATIONS: Final = (*DESTINATIONS, *AGGREGATES)
"""Order of the panel's rows: the destinations that add up to the world, then the sums."""

KINDS: Final = ("observed", "derived", "estimated")


@dataclass(frozen=True, slots=True)
class EvidencePanel:
    """Every month up to the cutoff as of one moment; arrays are destinations x months.

    Of later months it holds those that figures fix, and no estimate.
    """

    as_of: pd.Timestamp
    first: int
    cutoff: int
    """Last month with a figure of the world, as a month number."""
    tonnes: Floats
    stderr: Floats
    """Standard error of the logarithm of tonnes, about the relative standard error."""
    kind: NDArray[np.int8]
    """Position in ``KINDS``."""
    available_at: "NDArray[np.datetime64]"
    suspicious: pd.DataFrame
    """Figures that contradict the others, worst first, with their difference from the panel:
    ``store.publications.panels.CONTRADICTION_COLUMNS``."""
    later: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(MONTH_COLUMNS)))
    """Observed and derived months after the cutoff, which condition forecasts:
    ``store.publications.panels.MONTH_COLUMNS``."""

    @classmethod
    def from_stored(cls, stored: StoredPanel, as_of: pd.Timestamp) -> "EvidencePanel":
        """Stored panel, bit for bit as solved.

        Args:
            as_of: The moment of the publication (UTC).
        """
        months = stored.months.sort_values("period")
        is_later = months["period"] > months.loc[months["destination"] == WORLD, "period"].max()
        rows = dict(list(months.loc[~is_later].groupby("destination")))
        ordered = pd.concat([rows[name] for name in PANEL_DESTINATIONS])
        moments = pd.DatetimeIndex(ordered["available_at"]).tz_localize(None).as_unit("s")
        shape = (len(PANEL_DESTINATIONS), -1)
        return cls(
            as_of=as_of,
            first=month_number(ordered["period"].min()),
            cutoff=month_number(ordered["period"].max()),
            tonnes=ordered["tonnes"].to_numpy().reshape(shape),
            stderr=ordered["stderr_log"].to_numpy().reshape(shape),
            kind=ordered["kind"].map(KINDS.index).to_numpy(dtype=np.int8).reshape(shape),
            available_at=moments.to_numpy().reshape(shape),
            later=months.loc[is_later].reset_index(drop=True),
            suspicious=stored.contradictions,
        )

    def cut(self, cutoff: int) -> "EvidencePanel":
        """Panel up to a month, with the observed and derived months after it."""
        months = cutoff - self.first + 1
        table = self._months
        later = table["kind"].ne("estimated") & (table["period"] > month_start(cutoff))
        return replace(
            self,
            cutoff=cutoff,
            tonnes=self.tonnes[:, :months],
            stderr=self.stderr[:, :months],
            kind=self.kind[:, :months],
            available_at=self.available_at[:, :months],
            later=table.loc[later].reset_index(drop=True),
        )

    @property
    def stored(self) -> StoredPanel:
        later = [self.later] if len(self.later) else []
        return StoredPanel(pd.concat([self._months, *later], ignore_index=True), self.suspicious)

    @property
    def _months(self) -> pd.DataFrame:
        rows, months = self.tonnes.shape
        periods = month_starts(np.arange(self.first, self.first + months))
        return pd.DataFrame(
            {
                "destination": np.repeat(PANEL_DESTINATIONS, months),
                "period": np.tile(periods.to_numpy(), rows),
                "tonnes": self.tonnes.ravel(),
                "stderr_log": self.stderr.ravel(),
                "kind": np.asarray(KINDS)[self.kind.ravel()],
                "available_at": pd.DatetimeIndex(self.available_at.ravel()).tz_localize("UTC"),
            }
        )

    @property
    def frame(self) -> pd.DataFrame:
        return self.stored.frame
