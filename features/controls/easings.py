"""Future relaxations and ends of controls that are already in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.controls.controls import (
    EPISODE_MONTHS,
    Control,
    affected,
    control_episodes,
    hit_series,
    tonnes_without,
)
from features.families.act_strength import INSTRUMENT_STRENGTH, product_share
from features.months import Months, month_number, months_since
from features.origin import Origin

Floats = NDArray[np.float64]

RELAXATION: Final = "export_licence_relaxation"

LONGEST_MONTHS: Final = 2 * EPISODE_MONTHS
"""Months after a control from which the earlier level is no longer a valid counterfactual."""


@dataclass(frozen=True, slots=True)
class Easing:
    """One act that eases a control."""

    event_id: str
    starts: pd.Timestamp
    strength: float
    """Share of the blocked trade that it finally releases."""
    hit: NDArray[np.bool_]
    """Which series of the origin it affects."""
    ends: pd.Timestamp | None = None
    """Its last day; None if open-ended."""

    def since_end(self, months: Months) -> Floats:
        """Return months from its last day to the middle of each month, 0 before it."""
        if self.ends is None:
            return np.zeros(len(months))
        return np.maximum(months_since(self.ends, months), 0.0)

    def age(self, months: Months) -> Floats:
        """Return months from its first day to the middle of each month, at least 0."""
        return np.maximum(months_since(self.starts, months), 0.0)


def easings_at(origin: Origin, controls: Sequence[Control]) -> tuple[Easing, ...]:
    """Return the easings of observed controls after the cutoff, by first day.

    A relaxation that only postpones another act is covered by that act's own dates.

    Args:
        origin: The forecast origin.
        controls: Controls known then.
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
            hit_series(affected(str(act["destinations"]), origin), origin),
            None if pd.isna(act["effective_to"]) else act["effective_to"],
        )
        for act in events.assign(strength=strength).loc[chosen].to_dict("records")
        if _is_ahead(act["effective_from"], origin)
    ]


def _is_ahead(day: pd.Timestamp, origin: Origin) -> bool:
    return origin.cutoff < month_number(day) <= int(origin.targets[-1])


def levels_without(origin: Origin, controls: Sequence[Control]) -> Floats:
    """Return the level before the first observed control still in force on each series.

    In tonnes and each target's season, series x targets; 0 where no observed control is in force.
    """
    levels = np.zeros((len(origin.series), len(origin.targets)))
    under_control: dict[str, tuple[Control, list[int]]] = {}
    for row in np.flatnonzero(~origin.is_sum):
        open_ones = [
            one for one in control_episodes(controls, int(row), origin) if _is_in_force(one, origin)
        ]
        if open_ones:
            under_control.setdefault(open_ones[0].event_id, (open_ones[0], []))[1].append(int(row))
    for control, rows in under_control.values():
        levels[rows] = tonnes_without(origin, control)[rows, -len(origin.targets) :]
    return levels


def _is_in_force(control: Control, origin: Origin) -> bool:
    over = control.ends is not None and month_number(control.ends) <= origin.cutoff
    return not over and control.seen(origin) <= LONGEST_MONTHS
