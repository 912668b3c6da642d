"""Observed controls on the forecast commodity itself as analogs of the next."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from features.controls.analogs import AFTER_MONTHS, Analog
from features.controls.controls import Control, control_episodes, tonnes_without
from features.origin import LEVEL_MONTHS, Origin

OWN: Final = "magnets"

UNLIKE_ANY: Final = -2
"""Severity of no analog on other minerals: its effect is estimated from its own months alone."""


def own_analogs(origin: Origin, controls: Sequence[Control]) -> tuple[Analog, ...]:
    """Return an analog for each control that started an episode, from its observed months.

    The share kept is that of all affected series together.

    Args:
        origin: The forecast origin.
        controls: Controls known then.
    """
    members = np.flatnonzero(~origin.is_sum)
    begun = {
        one.event_id: one for row in members for one in control_episodes(controls, int(row), origin)
    }.values()
    found = (_analog(one, origin) for one in begun)
    return tuple(analog for analog in found if analog is not None)


def _analog(control: Control, origin: Origin) -> Analog | None:
    rows = np.flatnonzero(control.hit & ~origin.is_sum)
    seen = control.seen(origin)
    months = origin.cutoff - seen + 1 + np.arange(seen)
    before = tonnes_without(origin, control)[rows][:, :seen].sum(axis=0)
    age = control.age(months)
    counted = (age > 0) & (age <= AFTER_MONTHS) & (control.since_end(months) == 0) & (before > 0)
    if not counted.any():
        return None
    kept = origin.tonnes[rows][:, -seen:].sum(axis=0)[counted] / before[counted]
    return Analog(
        control.event_id, OWN, control.instrument, UNLIKE_ANY, age[counted], kept, LEVEL_MONTHS
    )
