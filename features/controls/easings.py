"""What eases controls that months have felt: relaxations and ends that no month has felt yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.controls.controls import (
    EPISODE_MONTHS,
    Control,
    hit_series,
    stories,
    touched,
    without,
)
from features.families.policy import INSTRUMENT_STRENGTH, product_share
from features.months import Months, month_number, months_since
from features.origin import Origin

Floats = NDArray[np.float64]

RELAXATION: Final = "export_licence_relaxation"

LONGEST_MONTHS: Final = 2 * EPISODE_MONTHS
"""Months after a control from which the level before it tells nothing of a trade without it."""


@dataclass(frozen=True, slots=True)
class Easing:
    """One act that lets goods under a control pass again."""

    event_id: str
    starts: pd.Timestamp
    strength: float
    """Share of what a control holds back that it gives free in the end."""
    hit: NDArray[np.bool_]
    """Which series of the origin it reaches."""
    ends: pd.Timestamp | None = None
    """Its last day; None if it is to stay."""

    def since_end(self, months: Months) -> Floats:
        """Return months from its last day to the middle of each month, 0 before it."""
        if self.ends is None:
            return np.zeros(len(months))
        return np.maximum(months_since(self.ends, months), 0.0)

    def age(self, months: Months) -> Floats:
        """Return months from its first day to the middle of each month, at least 0."""
        return np.maximum(months_since(self.starts, months), 0.0)


def easings_at(origin: Origin, controls: Sequence[Control]) -> tuple[Easing, ...]:
    """Return what eases felt controls in months after the cutoff, first in force first.

    A relaxation that only puts another act off is left to that act's own dates.

    Args:
        origin: Where the forecast stands.
        controls: As known there.
    """
    ends = [
        Easing(one.event_id, one.ends, 1.0, one.hit)
        for one in controls
        if one.ends is not None and one.seen(origin) > 0 and _is_ahead(one.ends, origin)
    ]
    found = [*_relaxations(origin), *ends]
    return tuple(sorted(found, key=lambda one: (one.starts, one.event_id)))


def _relaxations(origin: Origin) -> list[Easing]:
    events = origin.events
    if events is None or events.empty:
        return []
    chosen = (
        events["instrument"].eq(RELAXATION)
        & events["direction"].eq("easing")
        & events["effective_from"].notna()
        & ~events["effective_from"].isin(events["suspended_from"].dropna())
    )
    strength = product_share(events) * INSTRUMENT_STRENGTH[RELAXATION]
    return [
        Easing(
            str(act["event_id"]),
            act["effective_from"],
            float(act["strength"]),
            hit_series(touched(str(act["destinations"]), origin), origin),
            None if pd.isna(act["effective_to"]) else act["effective_to"],
        )
        for act in events.assign(strength=strength).loc[chosen].to_dict("records")
        if _is_ahead(act["effective_from"], origin)
    ]


def _is_ahead(day: pd.Timestamp, origin: Origin) -> bool:
    return origin.cutoff < month_number(day) <= int(origin.targets[-1])


def levels_without(origin: Origin, controls: Sequence[Control]) -> Floats:
    """Return the level before the first felt control that still holds each series.

    In tonnes and each target's season, series x targets; 0 where no felt control holds it.
    """
    levels = np.zeros((len(origin.series), len(origin.targets)))
    held: dict[str, tuple[Control, list[int]]] = {}
    for row in np.flatnonzero(~origin.is_sum):
        open_ones = [one for one in stories(controls, int(row), origin) if _holds(one, origin)]
        if open_ones:
            held.setdefault(open_ones[0].event_id, (open_ones[0], []))[1].append(int(row))
    for control, rows in held.values():
        levels[rows] = without(origin, control)[rows, -len(origin.targets) :]
    return levels


def _holds(control: Control, origin: Origin) -> bool:
    over = control.ends is not None and month_number(control.ends) <= origin.cutoff
    return not over and control.seen(origin) <= LONGEST_MONTHS
