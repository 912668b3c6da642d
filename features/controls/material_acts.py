"""Controls on materials as arrays: the commodities each names, and its state in the target months.

Private to ``features.controls.cross_material``.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.families.act_strength import INSTRUMENT_STRENGTH
from features.months import Months, month_number, month_start, months_since
from store.vocabulary import WORLD

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

WEAK: Final = r"technology|equipment|smuggling"
"""Wording of acts that do not stop goods."""

WEAKENED: Final = 0.1
"""Factor on the strength of such an act."""

MID_MONTH: Final = pd.Timedelta(days=14)


@dataclass(frozen=True, slots=True)
class MaterialActs:
    """Controls known at one moment; arrays are by act unless stated."""

    destinations: tuple[str, ...]
    strength: Floats
    """0 to 1, by instrument and wording."""
    names: Booleans
    """Acts x commodities."""
    named_with: NDArray[np.int64]
    """Number of commodities named in the announcement of the act."""
    bound: tuple[pd.Timestamp, ...]
    age: Floats
    """Acts x target months: months from its first day to the middle of the month."""
    in_force: Booleans
    """Acts x target months."""

    def bound_by(self, month: int) -> list[int | None]:
        """Return by commodity the month of its first control on all destinations, or None.

        Args:
            month: Number of the last month known.
        """
        found: list[int | None] = [None] * self.names.shape[1]
        for act, bound in enumerate(self.bound):
            number = month_number(bound)
            if number > month or WORLD not in self.destinations[act].split(";"):
                continue
            for good in np.flatnonzero(self.names[act]):
                earlier = found[good]
                found[good] = number if earlier is None else min(earlier, number)
        return found


def acts_of(
    controls: pd.DataFrame, materials: Sequence[Sequence[str]], targets: Months
) -> MaterialActs:
    """Return controls as arrays, by first day.

    Args:
        controls: One version of each (``analog_events`` contract), with ``effective_from``; not
            modified.
        materials: By commodity the materials whose controls affect it, in lower case.
        targets: Month numbers.
    """
    rows = controls.sort_values(["effective_from", "event_id"], ignore_index=True)
    named = [set(str(text).lower().split(";")) for text in rows["material"]]
    names = np.array([[not own.isdisjoint(of) for of in materials] for own in named])
    names = names.reshape(len(rows), len(materials))
    kept = np.flatnonzero(names.any(axis=1))
    rows, names = rows.iloc[kept].reset_index(drop=True), names[kept]
    announcement = rows["announced_on"].astype(str) + rows["issuer"].astype(str)
    together = [int(names[announcement.eq(one)].any(axis=0).sum()) for one in announcement]
    middles = [month_start(int(month)) + MID_MONTH for month in targets]
    weak = rows["products"].str.contains(WEAK, regex=True).to_numpy(dtype=bool)
    nature = rows["instrument"].map(INSTRUMENT_STRENGTH).to_numpy(dtype=float)
    ages = [months_since(day, targets) for day in rows["effective_from"]]
    shape = (len(rows), len(targets))
    force = [[_binds(act, day) for day in middles] for act in rows.to_dict("records")]
    return MaterialActs(
        destinations=tuple(rows["destinations"].astype(str)),
        strength=np.where(weak, WEAKENED, 1.0) * nature,
        names=names,
        named_with=np.array(together, dtype=np.int64),
        bound=tuple(rows["effective_from"]),
        age=np.array(ages, dtype=float).reshape(shape),
        in_force=np.array(force, dtype=bool).reshape(shape),
    )


def _binds(act: Mapping[Hashable, Any], day: pd.Timestamp) -> bool:
    """Return whether an act is in force and not suspended on a day, as known."""
    start, end, paused, resumed = (
        act[name] for name in ("effective_from", "effective_to", "suspended_from", "suspended_to")
    )
    if day < start or (pd.notna(end) and day > end):
        return False
    return bool(pd.isna(paused) or day < paused or (pd.notna(resumed) and day > resumed))
