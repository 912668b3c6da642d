"""Statistics of series at an origin: season, level, monthly scale, momentum; and of a panel."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from features.statistical.seasonality import BLOCK, carried, season_profiles
from store.arrays import Flags, Floats, Ints, join
from store.months import YEAR

_QUARTER: Final = YEAR // 4

SPREAD_YEARS: Final = 2
"""Years of monthly changes in the spread; those of a year ago have half the weight."""

SPREAD_PER_CHANGE: Final = 0.8
"""Spread as a share of the mean absolute monthly change."""

LEAST_SPREAD: Final = 0.003
"""Smallest spread, as a share of the level."""

UNSEEN_SPREAD: Final = 0.3
"""Spread of a series without two months to compare, as a share of its level."""

LEAST_LEVEL: Final = 0.1
"""Smallest level, as a share of the series' mean."""

STOP_MONTHS: Final = 6
"""Months of zeros in a row from which a series that never had as many has stopped."""

LEAST_RATIO: Final = 1e-6
"""Added to ratios before logs are taken."""


@dataclass(frozen=True, slots=True)
class SeriesStats:
    """Level, spread and seasonality of series at an origin; one number a series except season."""

    season: Floats
    """Series x months of the year, by place in the table's columns modulo 12."""
    level: Floats
    spread: Floats
    """Scale of seasonally adjusted monthly changes, in tonnes; 0 where all are zero."""
    scale: Floats
    """Mean absolute difference to the year before, the unit of scored errors; NaN if unknown."""
    momentum: Floats
    """Last quarter less the same of the year before, in spreads; NaN if unknown."""
    known_months: Ints
    """Months with a value."""
    current: Flags
    """Whether there is one in the last year."""
    zero_share: Floats
    """Share of the last two years' months that are zero."""


def series_stats(values: Floats, profile: Floats | None = None) -> SeriesStats:
    """Level, spread and seasonality, the season shrunk towards the panel's.

    Args:
        values: Series x months up to the origin, NaN where missing; not modified.
        profile: The panel's season, by ``seasonality.common_profile``, if these are some of its
            series; None if they are all.

    Examples:
        >>> stats = series_stats(np.array([[100.0, 110.0] * 12]))
        >>> stats.level.tolist(), stats.known_months.tolist(), stats.zero_share.tolist()
        ([105.0], [24], [0.0])
    """
    season = season_profiles(values, profile)
    places = range(0, max(len(values), 1), BLOCK)
    return join([_block_stats(values[at : at + BLOCK], season[at : at + BLOCK]) for at in places])


def panel_momentum(momentum: Floats) -> float:
    """Median momentum, in spreads; 0 if none is finite."""
    finite = momentum[np.isfinite(momentum)]
    return float(np.median(finite)) if finite.size else 0.0


def _block_stats(values: Floats, season: Floats) -> SeriesStats:
    """Statistics of series, both arguments series x months, given their seasonal factors."""
    is_known = np.isfinite(values)
    level = np.fmax(mean_known(values[:, -YEAR:]), LEAST_LEVEL * mean_known(values))
    level = np.where(np.isfinite(level), level, 0.0)
    adjusted = values / season[:, np.arange(values.shape[1]) % YEAR]
    monthly_change = _monthly_change(adjusted)
    spread = np.fmax(SPREAD_PER_CHANGE * monthly_change, LEAST_SPREAD * level)
    spread = np.where(np.isfinite(monthly_change), spread, UNSEEN_SPREAD * level)
    momentum = np.full(len(values), np.nan)
    if values.shape[1] >= _QUARTER + YEAR:
        year_before = mean_known(adjusted[:, -_QUARTER - YEAR : -_QUARTER])
        momentum = ratio(mean_known(adjusted[:, -_QUARTER:]) - year_before, spread)
    is_current = np.asarray(is_known[:, -YEAR:].any(axis=1))
    scale, months = seasonal_scale(values), is_known.sum(axis=1)
    zero_share = np.asarray((values[:, -SPREAD_YEARS * YEAR :] <= 0).mean(axis=1))
    return SeriesStats(season, level, spread, scale, momentum, months, is_current, zero_share)


def _monthly_change(adjusted: Floats) -> Floats:
    """Mean absolute monthly change; across gaps where no two months are adjacent."""
    change = _recent_mean(np.abs(np.diff(adjusted[:, -SPREAD_YEARS * YEAR - 1 :], axis=1)))
    is_isolated = np.isnan(change)
    if is_isolated.any():
        isolated = adjusted[is_isolated]
        steps = np.abs(np.diff(carried(isolated.T).T, axis=1))
        change[is_isolated] = _recent_mean(np.where(np.isfinite(isolated[:, 1:]), steps, np.nan))
    return change


def _recent_mean(changes: Floats) -> Floats:
    """Mean of each row's last years; weights halve with every year back."""
    recent = changes[:, -SPREAD_YEARS * YEAR :]
    return mean_known(recent, 0.5 ** (np.arange(recent.shape[1])[::-1] / YEAR))


def seasonal_scale(values: Floats) -> Floats:
    """Each series' mean absolute difference to the year before, the unit of MASE, or NaN."""
    return mean_known(np.abs(values[:, YEAR:] - values[:, :-YEAR]))


def zero_runs(values: Floats) -> tuple[Floats, Floats]:
    """Of stopped series, months of zeros up to each month and the mean of the year before them.

    Args:
        values: Series x months, NaN where missing; zeros before the first trade are no stop.

    Returns:
        Both series x months; 0 where a series has not stopped.

    Examples:
        >>> runs, levels = zero_runs(np.array([[5.0] * 12 + [0.0] * 6]))
        >>> runs[0, -2:].tolist(), levels[0, -2:].tolist()
        ([0.0, 6.0], [0.0, 5.0])
    """
    runs, levels = np.zeros(values.shape), np.zeros(values.shape)
    rows = np.flatnonzero((values == 0).sum(axis=1) >= STOP_MONTHS)
    months, places = values[rows], np.arange(len(rows))
    sums, counts = (
        np.pad(table.cumsum(axis=1), ((0, 0), (1, 0)))
        for table in (np.nan_to_num(months), np.isfinite(months))
    )
    run, longest, start = np.zeros((3, len(rows)), dtype=np.int64)
    for month, value in enumerate(months.T):
        is_trade = value > 0
        longest = np.where(is_trade & (start > 0), np.maximum(longest, run), longest)
        start, run = np.where(
            is_trade, [start * 0 + month + 1, run * 0], [start, run + (value == 0)]
        )
        year = np.maximum(start - YEAR, 0)
        total, count = (table[places, start] - table[places, year] for table in (sums, counts))
        has_stopped = (run >= STOP_MONTHS) & (run > longest) & (start > 0)
        runs[rows, month] = run * has_stopped
        levels[rows, month] = total / np.maximum(count, 1) * has_stopped
    return runs, levels


def mean_known(window: Floats, weight: Floats | None = None) -> Floats:
    """Mean of each row over its finite values, NaN without any.

    Examples:
        >>> mean_known(np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]])).tolist()
        [2.0, nan]
    """
    is_known = np.isfinite(window)
    counts = is_known * (1.0 if weight is None else weight)
    total = (np.where(is_known, window, 0.0) * counts).sum(axis=1)
    count = counts.sum(axis=1)
    mean: Floats = np.divide(total, count, out=np.full(len(window), np.nan), where=count > 0)
    return mean


def ratio(value: Floats, unit: Floats) -> Floats:
    """Values divided by a unit, 0 where the unit is 0.

    Examples:
        >>> ratio(np.array([6.0, 6.0]), np.array([2.0, 0.0])).tolist()
        [3.0, 0.0]
    """
    value, unit = np.broadcast_arrays(value, unit)
    return np.divide(value, unit, out=np.zeros(value.shape), where=unit > 0)


def log_ratio(value: Floats, unit: Floats) -> Floats:
    """Log ratio of one number a series to another, as a column.

    Examples:
        >>> log_ratio(np.array([20.0]), np.array([10.0])).round(3).tolist()
        [[0.693]]
    """
    share = np.divide(value, unit, out=np.full(len(value), np.nan), where=unit > 0)
    logs: Floats = np.log(share + LEAST_RATIO)[:, None]
    return logs
