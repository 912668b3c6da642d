"""Side effects of new figures: months of other destinations that they move."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from features.months import month_label, month_number
from features.panel.evidence import evidence_panel
from features.panel.evidence_panel import PANEL_DESTINATIONS
from features.panel.statements import (
    Statement,
    evidence_figures,
    last_evidence_month,
    members_of,
    read_statements,
)
from store.arrays import Flags
from store.months import YEAR
from store.publications.basis import STDERR_BAND
from store.vocabulary import COMMODITY, DESTINATIONS, HISTORY_START

_MEMBERS: Final = np.array(
    [[one in (members_of(name) or ()) for one in DESTINATIONS] for name in PANEL_DESTINATIONS]
)
"""Which destinations each row of the panel adds up."""


@dataclass(frozen=True, slots=True)
class SideEffect:
    """A month of a destination or sum without and with the new figures, in tonnes."""

    destination: str
    month: str
    before: float
    after: float
    low: float
    """Of the 80% band around ``before``."""
    high: float


def side_effects(
    known: pd.DataFrame, new: pd.DataFrame, *, as_of: pd.Timestamp
) -> list[SideEffect]:
    """Return the worst month of each destination and sum that new figures move beyond its band.

    Of the last year alone, which forecasts start from; older estimates move as more is published.
    A sum may move besides by those of its members that the figures are about.

    Args:
        known: Observations without the new ones (store contract); not modified.
        new: Further observations; not modified.
        as_of: The moment (UTC).

    Returns:
        The largest first; nothing where there was no panel yet.
    """
    figures = evidence_figures(new[new["commodity"].eq(COMMODITY)])
    if figures.empty or evidence_figures(known).empty:
        return []
    every = pd.concat([known, new], ignore_index=True)
    reach = last_evidence_month(every[every["commodity"].eq(COMMODITY)])
    before, after = (evidence_panel(rows, as_of=as_of, reach=reach) for rows in (known, every))
    named = _named(read_statements(figures, first=before.first, last=reach), before.tonnes.shape[1])
    moved = after.tonnes - before.tonnes
    own = _MEMBERS @ np.where(named, moved[: len(named)], 0.0)
    spread = STDERR_BAND * before.stderr
    room = before.tonnes * np.abs(np.expm1(np.copysign(spread, moved)))
    beyond = np.where(_MEMBERS @ ~named > 0, (np.abs(moved) - np.abs(own)) / room, 0.0)
    beyond[:, :-YEAR] = 0.0
    worst = beyond.argmax(axis=1)
    rows = np.flatnonzero(beyond.max(axis=1) > 1)
    ordered = sorted(rows, key=lambda row: -abs(moved[row, worst[row]]))
    return [
        SideEffect(
            PANEL_DESTINATIONS[row],
            month_label(before.first + int(at)),
            *(float(table[row, at]) for table in (before.tonnes, after.tonnes)),
            *(float(before.tonnes[row, at] * np.exp(s * spread[row, at])) for s in (-1, 1)),
        )
        for row, at in zip(ordered, worst[ordered], strict=True)
    ]


def _named(statements: Sequence[Statement], months: int) -> Flags:
    """Tell which cells figures are about: a destination at all times, a sum in its months."""
    first = month_number(HISTORY_START)
    named = np.zeros((len(DESTINATIONS), months), dtype=bool)
    for cells in (side for one in statements for side in (one.above, one.below) if side):
        rows = [DESTINATIONS.index(name) for name in cells.destinations]
        span = slice(cells.start - first, cells.end - first + 1) if len(rows) > 1 else slice(None)
        named[rows, span] = True
    return named
