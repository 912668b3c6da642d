"""Controls on the forecast goods themselves, once months have felt them, as analogs of the next."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from features.controls.analogs import AFTER_MONTHS, Analog
from features.controls.controls import Control, stories, without
from features.origin import LEVEL_MONTHS, Origin

OWN: Final = "magnets"

UNLIKE_ANY: Final = -2
"""Severity that no analog on other minerals shares: what it did is told by its months alone."""


def own_analogs(origin: Origin, controls: Sequence[Control]) -> tuple[Analog, ...]:
    """Return an analog for each control that began a story, from the months that have felt it.

    What was kept is that of all whom it hits together.

    Args:
        origin: Where the forecast stands.
        controls: As known there.
    """
    members = np.flatnonzero(~origin.is_sum)
    begun = {
        one.event_id: one for row in members for one in stories(controls, int(row), origin)
    }.values()
    found = (_analog(one, origin) for one in begun)
    return tuple(analog for analog in found if analog is not None)


def _analog(control: Control, origin: Origin) -> Analog | None:
    rows = np.flatnonzero(control.hit & ~origin.is_sum)
    seen = control.seen(origin)
    months = origin.cutoff - seen + 1 + np.arange(seen)
    before = without(origin, control)[rows][:, :seen].sum(axis=0)
    age = control.age(months)
    told = (age > 0) & (age <= AFTER_MONTHS) & (control.since_end(months) == 0) & (before > 0)
    if not told.any():
        return None
    kept = origin.tonnes[rows][:, -seen:].sum(axis=0)[told] / before[told]
    return Analog(
        control.event_id, OWN, control.instrument, UNLIKE_ANY, age[told], kept, LEVEL_MONTHS
    )
