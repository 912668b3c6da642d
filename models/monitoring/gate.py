"""How far a forecast moved from the one before it, where that needs a person."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

from store.vocabulary import WORLD

MONTHS: Final = 3
"""First months of a forecast that are compared, as one sum."""

LARGE: Final = 0.05
"""Share of the world from which a destination is looked at."""


@dataclass(frozen=True, slots=True)
class MedianShift:
    """What became of a destination's next months."""

    destination: str
    before: float
    """Sum of the medians as they stand published, in tonnes."""
    after: float

    @property
    def share(self) -> float:
        """Return the change as a share of what stands; infinite where nothing stood."""
        if self.before > 0:
            return self.after / self.before - 1
        return float("inf") if self.after > 0 else 0.0


def moves(new: pd.DataFrame, standing: pd.DataFrame) -> list[MedianShift]:
    """Return the changes of the world and every large destination, the largest first.

    Args:
        new: destination, period, p50 of a forecast; not modified.
        standing: The same of the one it would replace; not modified.

    Returns:
        Nothing where the two do not both tell of the first months of the new one.
    """
    months = sorted(set(new["period"]))[:MONTHS]
    if not set(months) <= set(standing["period"]):
        return []
    after, before = (
        table.loc[table["period"].isin(months)].groupby("destination")["p50"].sum()
        for table in (new, standing)
    )
    least = LARGE * max(float(before.get(WORLD, 0.0)), float(after.get(WORLD, 0.0)))
    found = [
        MedianShift(str(name), float(before[name]), float(after[name]))
        for name in before.index.intersection(after.index)
        if max(before[name], after[name]) >= least
    ]
    return sorted(found, key=lambda move: (-abs(move.share), move.destination))


def too_far(found: list[MedianShift], limit_pct: float) -> str:
    """Say which moves exceed a limit, in percent of what stands; empty if none does."""
    far = [move for move in found if abs(move.share) * 100 > limit_pct]
    listed = [
        f"{move.destination} {move.before:,.0f} to {move.after:,.0f} t ({move.share:+.0%})"
        for move in far
    ]
    return (
        f"the next {MONTHS} months move by more than {limit_pct:g} %: " + ", ".join(listed)
        if far
        else ""
    )
