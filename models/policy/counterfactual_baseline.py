"""What each series was to become from its own past, at many past months at once.

Season, level and a damped trend of the logs, robust to single months and heedful of how sure each
month is. Private to ``models.event_study.diversion``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.statistical.seasonality import YEAR, season_profiles

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

WINDOW: Final = 24
"""Months that a level is read from."""

HALF_LIFE: Final = 6.0
"""Months after which a month counts half in the level."""

BEND: Final = 1.5
"""Usual deviations that a month counts for at most."""

USUAL: Final = 0.05
"""Least usual deviation, log units: rounding alone makes as much."""

UNSURE: Final = 0.15
"""Standard error of the log at which a month counts half as much as a certain one."""

TREND: Final = 0.3
"""Share of last year's drift that is believed to go on."""

LEAST: Final = 1e-9
"""Sum of weights below which nothing is known."""


@dataclass(frozen=True, slots=True)
class BaselinePath:
    """Expected logs, as foreseen at each origin."""

    log: Floats
    """Series x origins x months ahead (the first is the origin's own month); NaN if unknown."""
    stderr: Floats
    """Series x origins: standard error that the level has from its months' own, as if these erred
    all in one direction."""


def expected_paths(logs: Floats, stderr: Floats, origins: Places, ahead: int) -> BaselinePath:
    """Return what was to be expected at each origin, from the months before it alone.

    Args:
        logs: Series x months, NaN where unknown; not modified.
        stderr: Standard errors of the logs, same shape.
        origins: Columns; the months before one are its past. Increasing, the last one is at most
            the number of months.
        ahead: Months to foresee.

    Source: Huber's weights about a weighted median.
    """
    log = np.full((len(logs), len(origins), ahead), np.nan)
    spread = np.zeros((len(logs), len(origins)))
    block = -((origins - int(origins[-1])) // YEAR)
    for age in np.unique(block):  # the season is read once a year, before the year's first origin
        own = block == age
        season = _season(logs, int(origins[own][0]))
        log[:, own], spread[:, own] = _foreseen(logs, stderr, origins[own], season, ahead)
    return BaselinePath(log, spread)


def _season(logs: Floats, end: int) -> Floats:
    """Return the season that the first ``end`` months show, in logs, series x 12."""
    return np.log(season_profiles(np.exp(logs[:, :end])))


def _foreseen(
    logs: Floats, stderr: Floats, origins: Places, season: Floats, ahead: int
) -> tuple[Floats, Floats]:
    """Return expected logs and their levels' standard errors at origins that share a season."""
    calm = logs - season[:, np.arange(logs.shape[1]) % YEAR]
    level, spread = _levels(calm, stderr, origins)
    before, _ = _levels(calm, stderr, origins - YEAR)
    drift = TREND * np.nan_to_num(level - before) / YEAR
    age = HALF_LIFE + np.arange(ahead)
    month = (origins[:, None] + np.arange(ahead)) % YEAR
    return level[:, :, None] + drift[:, :, None] * age + season[:, month], spread


def _levels(calm: Floats, stderr: Floats, origins: Places) -> tuple[Floats, Floats]:
    """Return robust levels before each origin, series x origins, and their standard errors."""
    column = origins[:, None] + np.arange(-WINDOW, 0)
    inside = column >= 0
    at = np.maximum(column, 0)
    value = np.where(inside, calm[:, at], np.nan)
    error = stderr[:, at]
    recent = 0.5 ** (np.arange(WINDOW, 0, -1) / HALF_LIFE)
    weight = np.where(np.isfinite(value), recent / (1.0 + (error / UNSURE) ** 2), 0.0)
    total = weight.sum(axis=-1)
    value = np.nan_to_num(value)
    middle = _median(value, weight)
    apart = value - middle[..., None]
    reach = BEND * np.maximum(1.4826 * _median(np.abs(apart), weight), USUAL)[..., None]
    some = np.where(total > LEAST, total, 1.0)
    level = middle + (weight * np.clip(apart, -reach, reach)).sum(axis=-1) / some
    spread = (weight * error).sum(axis=-1) / some
    return np.where(total > LEAST, level, np.nan), spread


def _median(value: Floats, weight: Floats) -> Floats:
    """Return weighted medians along the last axis."""
    order = np.argsort(value, axis=-1, kind="stable")
    sums = np.cumsum(np.take_along_axis(weight, order, axis=-1), axis=-1)
    place = (sums < 0.5 * sums[..., -1:]).sum(axis=-1, keepdims=True)
    place = np.minimum(place, value.shape[-1] - 1)
    ranked = np.take_along_axis(value, order, axis=-1)
    return np.take_along_axis(ranked, place, axis=-1)[..., 0]
