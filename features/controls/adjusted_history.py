"""The history adjusted for controls: months after one began as they might have been without it.

Base forecasts learn a level, a trend and a season from past months. Months under a new control tell
them of the control instead, whose effect the policy response adds once, forward. So its first
months count as at least the level before it.
"""

from typing import Final

import numpy as np

from features.controls.controls import control_episodes, controls_at, tonnes_without
from features.origin import LEVEL_MONTHS, Origin
from store.arrays import Floats

TRANSIENT_MONTHS: Final = 6
"""Months after a control begins that are adjusted; later ones are the new level."""


def adjusted_history(origin: Origin) -> Floats:
    """Tonnes of an origin, series x months, with the first months of each control adjusted.

    They are the origin's own where no observed control follows a full year of history.
    """
    if not (controls := controls_at(origin)):
        return origin.tonnes
    levels, adjusted = dict[int, Floats](), origin.tonnes.copy()
    for row in np.flatnonzero(~origin.is_sum).tolist():
        for control in control_episodes(controls, row, origin):
            start = control.month - origin.first
            stop = min(start + TRANSIENT_MONTHS, adjusted.shape[1])
            if start <= LEVEL_MONTHS:
                continue
            if control.month not in levels:
                levels[control.month] = tonnes_without(origin, control)
            level = levels[control.month][row, : stop - start]
            adjusted[row, start:stop] = np.fmax(adjusted[row, start:stop], level)
    raised = adjusted - origin.tonnes
    for row in np.flatnonzero(origin.is_sum).tolist():
        adjusted[row] += np.nansum(raised[origin.groups[row]], axis=0)
    return adjusted if levels else origin.tonnes
