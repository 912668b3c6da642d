"""What series are like at an origin: season, level, usual move, and what a panel says together."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from features.statistical.seasonality import BLOCK, carried, season_profiles
from store.arrays import Flags, Floats, Ints, join
from store.months import YEAR

_QUARTER: Final = YEAR // 4

SPREAD_YEARS: Final = 2
"""Years whose moves make the spread; those of a year ago count half."""

MOVE_TO_SPREAD: Final = 0.8
"""Spread as a share of the mean absolute move."""

LEAST_SPREAD: Final = 0.003
"""Spread of the calmest series, as a share of its level."""

UNSEEN_SPREAD: Final = 0.3
"""Spread of a series that was never seen to move or stay, as a share of its level."""

LEAST_LEVEL: Final = 0.1
"""Level of a series that has all but ended, as a share of its mean."""

LEAST_RATIO: Final = 1e-6
"""Added to ratios before logs are taken."""


@dataclass(frozen=True, slots=True)
class SeriesStats:
    """Size and temper of series at an origin; one number a series but for the season."""

    season: Floats
    """Series x months of the year, by place in the table's columns modulo 12."""
    level: Floats
    spread: Floats
    """Usual move from month to month; 0 where all are zero."""
    scale: Floats
    """Mean absolute difference to the year before: what errors are scored in; NaN unknown."""
    momentum: Floats
    """Last quarter to the year before, in spreads; NaN unknown."""
    known: Ints
    """Months with a value."""
    current: Flags
    """Whether there is one in the last year."""


@dataclass(frozen=True, slots=True)
class PanelStats:
    """What all series of a panel say together at one origin."""

    profile: Floats
    """Season, by month of the year."""
    momentum: float
    """What the middle series does, in spreads."""


def series_stats(values: Floats, profile: Floats | None = None) -> SeriesStats:
    """Return size and temper of series; draws their season towards the panel's.

    Args:
        values: Series x months up to the origin, NaN where missing; not modified.
        profile: The panel's season, by ``seasonality.common_profile``, where these are some of its
            series; None where they are all.
    """
    season = season_profiles(values, profile)
    places = range(0, max(len(values), 1), BLOCK)
    return join([_measured(values[at : at + BLOCK], season[at : at + BLOCK]) for at in places])


def panel_momentum(momentum: Floats) -> float:
    """Return what the middle series of a panel does, given what each does, in spreads."""
    known = momentum[np.isfinite(momentum)]
    return float(np.median(known)) if known.size else 0.0


def _measured(values: Floats, season: Floats) -> SeriesStats:
    known = np.isfinite(values)
    level = np.fmax(mean_known(values[:, -YEAR:]), LEAST_LEVEL * mean_known(values))
    level = np.where(np.isfinite(level), level, 0.0)
    flat = values / season[:, np.arange(values.shape[1]) % YEAR]
    usual = _usual_move(flat)
    spread = np.fmax(MOVE_TO_SPREAD * usual, LEAST_SPREAD * level)
    spread = np.where(np.isfinite(usual), spread, UNSEEN_SPREAD * level)
    momentum = np.full(len(values), np.nan)
    if values.shape[1] >= _QUARTER + YEAR:
        before = mean_known(flat[:, -_QUARTER - YEAR : -_QUARTER])
        momentum = ratio(mean_known(flat[:, -_QUARTER:]) - before, spread)
    current = np.asarray(known[:, -YEAR:].any(axis=1))
    scale = seasonal_scale(values)
    return SeriesStats(season, level, spread, scale, momentum, known.sum(axis=1), current)


def _usual_move(flat: Floats) -> Floats:
    """Return the mean absolute move of late, over gaps where no two months meet, or NaN."""
    usual = _mean_of_late(np.abs(np.diff(flat[:, -SPREAD_YEARS * YEAR - 1 :], axis=1)))
    apart = np.isnan(usual)
    if apart.any():
        lone = flat[apart]
        steps = np.abs(np.diff(carried(lone.T).T, axis=1))
        usual[apart] = _mean_of_late(np.where(np.isfinite(lone[:, 1:]), steps, np.nan))
    return usual


def _mean_of_late(moves: Floats) -> Floats:
    late = moves[:, -SPREAD_YEARS * YEAR :]
    return mean_known(late, 0.5 ** (np.arange(late.shape[1])[::-1] / YEAR))


def seasonal_scale(values: Floats) -> Floats:
    """Return the mean absolute difference to the year before of each series, NaN without any.

    Errors in this unit are what MASE averages.
    """
    return mean_known(np.abs(values[:, YEAR:] - values[:, :-YEAR]))


def mean_known(window: Floats, weight: Floats | None = None) -> Floats:
    """Return the mean of each row over what is known, NaN where nothing is."""
    counts = np.isfinite(window) * (1.0 if weight is None else weight)
    total = (np.nan_to_num(window) * counts).sum(axis=1)
    count = counts.sum(axis=1)
    mean: Floats = np.divide(total, count, out=np.full(len(window), np.nan), where=count > 0)
    return mean


def ratio(value: Floats, unit: Floats) -> Floats:
    """Return values in a unit, 0 where there is none."""
    value, unit = np.broadcast_arrays(value, unit)
    return np.divide(value, unit, out=np.zeros(value.shape), where=unit > 0)


def log_ratio(value: Floats, unit: Floats) -> Floats:
    """Return the log ratio of one number a series to another, as a column."""
    share = np.divide(value, unit, out=np.full(len(value), np.nan), where=unit > 0)
    logs: Floats = np.log(share + LEAST_RATIO)[:, None]
    return logs
