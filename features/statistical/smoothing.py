"""Exponential smoothing of many series at once: loops over months and grids, never over series.

Arrays are months x series, so that one month of all series is contiguous. A gap changes no state
but time. Each series takes the grid point with the smallest one-step errors in sample.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from features.statistical.seasonality import BLOCK
from store.arrays import Flags, Floats, Ints

START_MONTHS: Final = 6
"""First months whose mean is the starting level of smoothing without a trend."""

SES_ALPHAS: Final = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)

DAMPED_GRID: Final = tuple(product((0.1, 0.3, 0.6, 0.9), (0.02, 0.1), (0.85, 0.97)))
"""Alpha, beta as a share of alpha, phi."""

FIRST_LINE: Final = 12
"""Months whose fitted line is the starting trend; three quarters must have values."""

LOG_OFFSET: Final = 0.05
"""Added before logs are taken, as a share of the series' mean, so that zeros have a log."""


@dataclass(frozen=True, slots=True)
class SeriesBlock:
    """Values and their mask, months x series."""

    values: Floats
    """0 where missing."""
    is_known: Flags

    @classmethod
    def of(cls, values: Floats) -> Self:
        """Take series x months, NaN where missing."""
        is_known = np.ascontiguousarray(np.isfinite(values).T)
        return cls(np.where(is_known, np.ascontiguousarray(values.T), 0.0), is_known)

    @property
    def gapped(self) -> Floats:
        return np.where(self.is_known, self.values, np.nan)

    @property
    def first(self) -> NDArray[np.intp]:
        first: NDArray[np.intp] = self.is_known.argmax(axis=0)
        return first

    @property
    def first_value(self) -> Floats:
        return self.values[self.first, np.arange(len(self.first))]

    @property
    def age(self) -> Floats:
        return np.arange(len(self.is_known), dtype=np.float64)[:, None] - self.first

    def beginning(self) -> Iterator[NDArray[np.intp]]:
        """Yield for each month the series whose first value it is; none for the first month.

        Smoothing resets these series to their starting state.
        """
        first = self.first
        first_months = set(first.tolist()) - {0}
        no_series = np.empty(0, dtype=np.intp)
        for at in range(len(self.is_known)):
            yield np.flatnonzero(first == at) if at in first_months else no_series

    @property
    def weight(self) -> Floats:
        return self.is_known.astype(np.float64)


def ses(months: SeriesBlock, horizon: int) -> Floats:
    """Forecasts of simple exponential smoothing, horizon x series."""
    start = mean_where(months.values, months.is_known & (months.age < START_MONTHS))
    grid = columns_of([(alpha, 0.0, 1.0) for alpha in SES_ALPHAS])
    return _trended(months, horizon, grid, (start, np.zeros_like(start)))


def damped_trend(months: SeriesBlock, horizon: int) -> Floats:
    """Forecasts of damped-trend smoothing, horizon x series."""
    early = (months.is_known & (months.age < FIRST_LINE)).astype(np.float64)
    terms = [term.sum(axis=0) for term in line_terms(months, early)]
    start = line_of(terms, least=3 * FIRST_LINE // 4)
    grid = columns_of([(alpha, alpha * share, phi) for alpha, share, phi in DAMPED_GRID])
    return _trended(months, horizon, grid, (start[0] + months.first_value, start[1]))


def _trended(
    months: SeriesBlock, horizon: int, grid: Floats, start: tuple[Floats, Floats]
) -> Floats:
    alpha, beta, phi = grid
    level, trend = (np.tile(part, (len(alpha), 1)) for part in start)
    loss, error, product = (np.zeros_like(level) for _ in range(3))
    has_trend = bool(beta.any())
    for row, weight, started in zip(months.values, months.weight, months.beginning(), strict=True):
        if has_trend:
            if started.size:
                level[:, started], trend[:, started] = start[0][started], start[1][started]
            trend *= phi
            level += trend
        np.subtract(row, level, out=error)
        error *= weight
        loss += np.multiply(error, error, out=product)
        level += np.multiply(error, alpha, out=product)
        if has_trend:
            trend += np.multiply(error, beta, out=product)
    level, trend, phi = best_of(loss, level, trend, phi)
    reach = np.cumsum(phi ** np.arange(1, horizon + 1)[:, None], axis=0)
    return np.asarray(level + reach * trend)


REACH: Final = 1.75
"""Largest error used for updates, in units of the smoothed absolute error."""

USUAL_START: Final = 0.3
"""Starting value of the smoothed absolute error, log units."""

USUAL_RATE: Final = 0.1
"""Smoothing rate of the absolute error."""

FOCUS: Final = 0.35
"""Power of the likelihood that weights the points of the grid."""

LEAST_LOSS: Final = 1e-9
"""Added to the mean squared error of logs, so that a constant series has one."""

LARGEST_LOG: Final = 60.0
"""Ratio to its mean beyond which no series is extrapolated, log units."""


@dataclass(frozen=True, slots=True)
class SmoothingWeights:
    """Smoothing rates of seasonal smoothing, and its treatment of large errors."""

    alphas: tuple[float, ...]
    """Rates of the level."""
    shares: tuple[float, ...]
    """Rates of the trend, as shares of alpha."""
    phi: float
    """Damping of the trend per month."""
    turns: tuple[float, ...] = (0.0, 0.05, 0.15)
    """Rates of the season, as shares of 1 - alpha."""
    is_robust: bool = True
    """Whether large errors are clipped and the grid points averaged by likelihood; else the point
    with the smallest absolute errors is taken."""

    @property
    def grid(self) -> Floats:
        points = product(self.alphas, self.shares, self.turns)
        return columns_of([(a, a * b, (1.0 - a) * g) for a, b, g in points])


HOLT_WINTERS: Final = SmoothingWeights(
    (0.1, 0.25, 0.5, 0.75), (0.0, 0.1), 0.9, turns=(0.0, 0.1, 0.25), is_robust=False
)

STEADY: Final = SmoothingWeights((0.05, 0.15, 0.3), (0.0, 0.1), 0.9)
"""For series whose changes mostly revert."""

SWIFT: Final = SmoothingWeights((0.1, 0.25, 0.5, 0.75), (0.05, 0.2), 0.95)
"""For series whose changes mostly persist."""


def seasonal(
    months: SeriesBlock, season: Floats, horizon: int, *, pace: SmoothingWeights
) -> Floats:
    """Forecasts of damped smoothing of logs with an evolving season, horizon x series.

    Args:
        months: Values with their season; below 0 counts as 0.
        season: Starting seasonal factors, months of the year x series.
    """
    logs, size = logs_of(months)
    level, trend, turning, loss = _walk(logs, np.log(season), pace, pace.grid)
    weight = _weights(loss, months.is_known.sum(axis=0), pace)
    ahead = np.arange(1, horizon + 1)
    turned = np.einsum("gn,mgn->mn", weight, turning)
    fitted = (weight * level).sum(axis=0) + turned[(len(logs.values) + ahead - 1) % len(season)]
    fitted += np.cumsum(pace.phi**ahead)[:, None] * (weight * trend).sum(axis=0)
    return np.asarray((np.exp(np.minimum(fitted, LARGEST_LOG)) - LOG_OFFSET) * size)


def errors_within(values: Floats, season: Floats) -> Floats:
    """One-step errors of Holt-Winters smoothing, fitted to the whole history.

    Args:
        values: Series x months, NaN where missing; not modified.
        season: Series x months of the year, as ``season_profiles`` returns.

    Returns:
        Series x months; NaN where the value is missing or a series' first.
    """
    errors = np.empty(values.shape)
    for start in range(0, len(values), BLOCK):
        part = slice(start, start + BLOCK)
        months, turning = SeriesBlock.of(values[part]), np.log(np.ascontiguousarray(season[part].T))
        logs, size = logs_of(months)
        *_, loss = _walk(logs, turning, HOLT_WINTERS, HOLT_WINTERS.grid)
        best = np.stack(best_of(loss, *HOLT_WINTERS.grid))[:, None]
        fitted = np.empty(months.values.shape)
        _walk(logs, turning, HOLT_WINTERS, best, fitted)
        one_ahead = np.maximum((np.exp(fitted) - LOG_OFFSET) * size, 0.0)
        later = months.is_known & (months.age > 0)
        errors[part] = np.where(later, months.values - one_ahead, np.nan).T
    return errors


def logs_of(months: SeriesBlock) -> tuple[SeriesBlock, Floats]:
    """Logs of series as shares of their mean, and that mean."""
    size = mean_where(np.maximum(months.values, 0.0), months.is_known)
    shares = np.maximum(months.values, 0.0) / np.where(size > 0, size, 1.0)
    return SeriesBlock(np.log(shares + LOG_OFFSET), months.is_known), size


def _weights(loss: Floats, count: Ints, pace: SmoothingWeights) -> Floats:
    """Weights of the grid points, points x series, which add up to one."""
    if not pace.is_robust:
        return np.where(np.arange(len(loss))[:, None] == loss.argmin(axis=0), 1.0, 0.0)
    some = np.maximum(count, 1)
    fit = -FOCUS * some * np.log(loss / some + LEAST_LOSS)
    share = np.exp(fit - fit.max(axis=0))
    weight: Floats = share / share.sum(axis=0)
    return weight


def _walk(
    logs: SeriesBlock,
    season: Floats,
    pace: SmoothingWeights,
    grid: Floats,
    fitted: Floats | None = None,
) -> tuple[Floats, Floats, Floats, Floats]:
    """State after the last month and the loss, for each grid point.

    Args:
        fitted: Filled with the one-step forecasts of the first point, months x series, if given.

    Returns:
        Level and trend, points x series; the season, months of the year x points x series; and the
        summed loss.
    """
    alpha, beta, gamma = grid
    early = logs.is_known & (logs.age < START_MONTHS)
    place = np.arange(len(logs.values)) % len(season)
    level = np.tile(mean_where(logs.values - season[place], early), (len(alpha), 1))
    trend, loss, error, change, bound = (np.zeros_like(level) for _ in range(5))
    turning = np.repeat(season[:, None, :], len(alpha), axis=1)
    usual = np.full_like(level, USUAL_START)
    for month, (row, weight) in enumerate(zip(logs.values, logs.weight, strict=True)):
        seasonal_state = turning[month % len(season)]
        trend *= pace.phi
        level += trend
        np.add(level, seasonal_state, out=change)
        if fitted is not None:
            fitted[month] = change[0]
        np.subtract(row, change, out=error)
        error *= weight
        if pace.is_robust:
            loss += np.multiply(error, error, out=change)
            np.multiply(usual, REACH, out=bound)
            np.minimum(np.abs(error, out=change), 2.0 * bound, out=change)
            change -= usual
            usual += np.multiply(change, USUAL_RATE * weight, out=change)
            np.minimum(error, bound, out=error)
            np.maximum(error, np.negative(bound, out=bound), out=error)
        else:
            loss += np.abs(error, out=change)
        level += np.multiply(error, alpha, out=change)
        trend += np.multiply(error, beta, out=change)
        seasonal_state += np.multiply(error, gamma, out=change)
    return level, trend, turning, loss


def mean_where(values: Floats, is_used: Flags) -> Floats:
    """Mean of each column over the masked cells, 0 without any."""
    total = np.where(is_used, values, 0.0).sum(axis=0)
    count = np.maximum(is_used.sum(axis=0), 1)
    mean: Floats = total / count
    return mean


def line_terms(months: SeriesBlock, weight: Floats) -> list[Floats]:
    """Terms whose sums over months give a least-squares line.

    Months count from 1 at a series' first, values from its first value.
    """
    number = months.age + 1.0
    value = (months.values - months.first_value) * weight
    timed = number * weight
    return [weight, timed, value, number * timed, number * value]


def line_of(sums: list[Floats], *, least: int) -> tuple[Floats, Floats]:
    """Intercept and slope of least squares, a slope of 0 with fewer than ``least`` months.

    Args:
        sums: The terms of ``line_terms``, added up.
        least: Months that a slope needs, at least 2.
    """
    count, time, value, squares, products = sums
    some = np.maximum(count, 1.0)
    spread = squares - time * time / some
    slope = np.divide(
        products - time * value / some,
        spread,
        out=np.zeros_like(spread),
        where=(count >= least) & (spread > 0),
    )
    return (value - slope * time) / some, slope


def columns_of(points: list[tuple[float, ...]]) -> Floats:
    """Points of a grid as parameters x points x 1."""
    return np.array(points, dtype=np.float64).T[:, :, None]


def best_of(loss: Floats, *parts: Floats) -> list[Floats]:
    """Each part at the grid point with the smallest loss, one number a series.

    Args:
        loss: Points x series.
        parts: Points x series, or points x 1 if shared by all series.
    """
    best = loss.argmin(axis=0)[None]
    each = (np.broadcast_to(part, loss.shape) for part in parts)
    return [np.take_along_axis(part, best, axis=0)[0] for part in each]
