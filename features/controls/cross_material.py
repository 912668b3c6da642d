"""Controls on one material as a signal for related commodities of a group.

All as known at an origin. Strength is that of the instrument (``features.families.policy``), never
the severity, which was rated afterwards.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.controls.controls import INSTRUMENTS
from features.families.policy import INSTRUMENT_STRENGTH, WEAK_SHARE, WEAK_WORDING
from features.months import Months, month_number, month_start, months_since
from store.arrays import Flags, Floats, Ints
from store.asof import EVENT_KEY, known_at
from store.vocabulary import EU27, EU27_MEMBERS, WORLD

MID_MONTH: Final = pd.Timedelta(days=14)


@dataclass(frozen=True, slots=True)
class MaterialActs:
    """Controls known at one moment; arrays are by act unless stated."""

    destinations: tuple[str, ...]
    strength: Floats
    """0 to 1, by instrument and wording."""
    names: Flags
    """Acts x commodities."""
    named_with: Ints
    """Number of commodities named in the announcement of the act."""
    bound: tuple[pd.Timestamp, ...]
    age: Floats
    """Acts x target months: months from its first day to the middle of the month."""
    in_force: Flags
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
    weak = rows["products"].str.contains(WEAK_WORDING, regex=True).to_numpy(dtype=bool)
    nature = rows["instrument"].map(INSTRUMENT_STRENGTH).to_numpy(dtype=float)
    ages = [months_since(day, targets) for day in rows["effective_from"]]
    shape = (len(rows), len(targets))
    force = [[_binds(act, day) for day in middles] for act in rows.to_dict("records")]
    return MaterialActs(
        destinations=tuple(rows["destinations"].astype(str)),
        strength=np.where(weak, WEAK_SHARE, 1.0) * nature,
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


NAMES: Final = (
    "own_control",
    "own_years",
    "sibling_share",
    "sibling_strength",
    "sibling_years",
    "sibling_pending",
    "named_together",
    "sibling_kept_log",
)
"""For the target month: strength of the control in force on the commodity itself and years since
its start (``LONGEST`` if none); share of sibling commodities under control, their mean strength,
years since the last control on any of them; strength announced for siblings but not yet in force;
whether the announcement also named a sibling; and the mean log of the share of exports that
siblings under control keep, as observed up to the origin."""

LONGEST: Final = 3.0
"""Years after which a control is as old as any."""

BEFORE: Final = 12
AFTER: Final = 3
"""Months in the level before a control and in the recent level."""

LEAST_RATIO: Final = 1e-6
"""Added to a ratio before its log is taken."""

LEAST_KEPT, MOST_KEPT = -3.0, 1.0
"""Bounds of the log of the share kept."""


@dataclass(frozen=True, slots=True)
class GroupMember:
    """One commodity of a group, and the materials whose controls affect it."""

    commodity: str
    materials: tuple[str, ...]
    """Their names in the events, in lower case; empty if unknown."""


@dataclass(frozen=True)
class CrossMaterial:
    """The features of a group of commodities, as the engine takes them; call it with an origin."""

    members: tuple[GroupMember, ...]
    commodity_of: Ints
    """Place of each series in ``members``."""
    place_of: tuple[str, ...]
    """Of each series its destination or sum."""
    totals: Floats
    """Members x months: exports to the world, NaN where missing."""
    first: int
    """Month number of the first column."""
    last: int
    """Column of the cutoff."""
    horizon: int
    as_of: pd.Timestamp
    """Moment at which the months up to the cutoff are known (UTC)."""
    events: pd.DataFrame = field(repr=False)
    """Controls with their materials, all versions (``analog_events`` contract)."""

    def known_on(self, origin: int) -> pd.Timestamp:
        """Return the as_of of an origin, with the same delay as that of the cutoff."""
        return self.as_of - pd.DateOffset(months=self.last - origin)

    @cached_property
    def _patterns(self) -> tuple[list[str], Ints]:
        """Return one place for each pattern of acts, and the pattern of each series."""
        texts = sorted(set(self.events["destinations"].astype(str)))
        names = sorted(set(self.place_of))
        hits = np.array([[is_hit(name, text) for text in texts] for name in names])
        hits = hits.reshape(len(names), len(texts))
        _, chosen, of_name = np.unique(hits, axis=0, return_index=True, return_inverse=True)
        row = dict(zip(names, of_name.reshape(-1).tolist(), strict=True))
        series = np.array([row[name] for name in self.place_of], dtype=np.int64)
        return [names[place] for place in chosen], series

    def __call__(self, origin: int, rows: Ints | slice) -> NDArray[np.float32]:
        """Return series x months x ``NAMES`` at an origin.

        Args:
            origin: Column of the last month known.
            rows: Which series.
        """
        places, pattern = self._patterns
        whole = self._at(origin, places)
        found: NDArray[np.float32] = whole[self.commodity_of[rows], pattern[rows]]
        return found

    def _at(self, origin: int, places: Sequence[str]) -> NDArray[np.float32]:
        """Return members x places x months x ``NAMES``."""
        known = known_at(self.events, key=EVENT_KEY, as_of=self.known_on(origin))
        controls = known.loc[
            known["instrument"].isin(INSTRUMENTS)
            & known["direction"].eq("restrictive")
            & known["evidence"].ne("scheduled")
            & known["effective_from"].notna()
        ]
        targets = self.first + origin + 1 + np.arange(self.horizon)
        acts = acts_of(controls, [good.materials for good in self.members], targets)
        hit = np.array([[is_hit(name, text) for name in places] for text in acts.destinations])
        hit = hit.reshape(len(acts.destinations), len(places))
        kept = self._kept(acts, origin)
        has_material = np.array([bool(good.materials) for good in self.members])
        return _features(acts, hit, kept, has_material).astype(np.float32)

    def _kept(self, acts: MaterialActs, origin: int) -> Floats:
        """Return by good the log of what is kept under the control on it, NaN under none."""
        found = np.full(len(self.members), np.nan)
        for good, bound in enumerate(acts.bound_by(self.first + origin)):
            if bound is None or bound - self.first < 1:
                continue
            column = bound - self.first
            months = self.totals[good, : origin + 1]
            late = months[max(column, origin + 1 - AFTER) :]
            before = months[max(column - BEFORE, 0) : column]
            if np.isfinite(late).any() and np.nansum(before) > 0:
                ratio = np.nanmean(late) / np.nanmean(before)
                found[good] = np.clip(np.log(float(ratio) + LEAST_RATIO), LEAST_KEPT, MOST_KEPT)
        return found


def is_hit(name: str, destinations: str) -> bool:
    """Return whether an act affects a place; a sum only if it is named or all are affected."""
    named = set(destinations.split(";"))
    return WORLD in named or name in named or (EU27 in named and name in EU27_MEMBERS)


def _features(acts: MaterialActs, hit: Flags, kept: Floats, has_material: Flags) -> Floats:
    """Return members x places x months x ``NAMES``."""
    shape = (len(kept), hit.shape[1], acts.age.shape[1])
    strength, pending, together = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    years = np.full(shape, LONGEST)
    for act in range(len(acts.strength)):
        cells = np.ix_(np.flatnonzero(acts.names[act]), np.flatnonzero(hit[act]))
        in_force, force = acts.in_force[act], acts.strength[act]
        age = np.minimum(np.maximum(acts.age[act], 0.0) / 12.0, LONGEST)
        newer = in_force & (age <= years[cells])
        strength[cells] = np.maximum(strength[cells], np.where(in_force, force, 0.0))
        together[cells] = np.where(newer, float(acts.named_with[act] > 1), together[cells])
        years[cells] = np.where(newer, age, years[cells])
        ahead = np.where(acts.age[act] <= 0.0, force, 0.0)
        pending[cells] = np.maximum(pending[cells], ahead)
    others = np.maximum(has_material.sum() - has_material, 1)[:, None, None]
    under = strength > 0
    known_kept = np.isfinite(kept)
    sums, count = np.nan_to_num(kept).sum(), known_kept.sum()
    of_others = (sums - np.nan_to_num(kept)) / np.maximum(count - known_kept, 1)
    parts = (
        strength,
        years,
        (under.sum(axis=0) - under) / others,
        (strength.sum(axis=0) - strength) / others,
        -_most_of_others(-years, -LONGEST),
        _most_of_others(pending, 0.0),
        together,
        np.broadcast_to(of_others[:, None, None], shape),
    )
    return np.stack(parts, axis=3)


def _most_of_others(values: Floats, nothing: float) -> Floats:
    """Return by row the greatest value of all other rows, ``nothing`` where there is none."""
    if len(values) <= 1:
        return np.full(values.shape, nothing)
    order = np.sort(values, axis=0)
    greatest, second = order[-1], order[-2]
    is_first = np.arange(len(values))[:, None, None] == values.argmax(axis=0)
    found: Floats = np.where(is_first, second, greatest)
    return found
