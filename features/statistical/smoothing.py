"""Exponential smoothing of many series at once: loops over months and grids, never over series.

Arrays are months x series, so that one month of all series lies together. A gap moves no state but
time. Each method returns its forecasts of the known months, one month ahead, then of the months
after them. The parameters of a series are those of a grid with the least errors on the way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from store.arrays import Flags, Floats

START_MONTHS: Final = 6
"""First months whose mean is the level that smoothing without a trend starts from."""

SES_ALPHAS: Final = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)

DAMPED_GRID: Final = tuple(product((0.1, 0.3, 0.6, 0.9), (0.02, 0.1), (0.85, 0.97)))
"""Alpha, beta as a share of alpha, phi."""

FIRST_LINE: Final = 12
"""Months whose line is the first trend; three quarters must be known."""

SEASONAL_GRID: Final = tuple(product((0.1, 0.25, 0.5, 0.75), (0.0, 0.1), (0.0, 0.1, 0.25)))
"""Alpha, beta as a share of alpha, gamma as a share of what alpha leaves."""

SEASONAL_PHI: Final = 0.9

LOG_OFFSET: Final = 0.05
"""Added before logs are taken, as a share of the series' mean, so that zeros have one."""


@dataclass(frozen=True, slots=True)
class Months:
    """Some series, months x series."""

    values: Floats
    """0 where unknown."""
    known: Flags
    ahead_only: bool = False
    """Whether nobody asks what was said of these months, only what is said of those after them."""

    @classmethod
    def of(cls, values: Floats, *, ahead_only: bool = False) -> Self:
        """Take series x months, NaN where missing."""
        known = np.ascontiguousarray(np.isfinite(values).T)
        return cls(np.where(known, np.ascontiguousarray(values.T), 0.0), known, ahead_only)

    @property
    def gapped(self) -> Floats:
        return np.where(self.known, self.values, np.nan)

    @property
    def first(self) -> NDArray[np.intp]:
        first: NDArray[np.intp] = self.known.argmax(axis=0)
        return first

    @property
    def first_value(self) -> Floats:
        return self.values[self.first, np.arange(len(self.first))]

    @property
    def age(self) -> Floats:
        return np.arange(len(self.known), dtype=np.float64)[:, None] - self.first

    def beginning(self) -> Iterator[NDArray[np.intp]]:
        """Yield for each month which series have their first value then, none in the very first.

        A walk along the months sets these to their start: what moved them before is void.
        """
        first = self.first
        begun = set(first.tolist()) - {0}
        none = np.empty(0, dtype=np.intp)
        for at in range(len(self.known)):
            yield np.flatnonzero(first == at) if at in begun else none

    @property
    def weight(self) -> Floats:
        return self.known.astype(np.float64)

    def blank(self, horizon: int) -> Floats:
        """Return room for what is said of these months and of those after them."""
        return np.empty((len(self.values) + horizon, self.values.shape[1]))


class _Followed(NamedTuple):
    """Level and trend after the last month, and the errors on the way; points x series."""

    level: Floats
    trend: Floats
    loss: Floats


def ses(months: Months, horizon: int) -> Floats:
    """Return simple exponential smoothing: a level that follows the values."""
    start = mean_where(months.values, months.known & (months.age < START_MONTHS))
    grid = columns_of([(alpha, 0.0, 1.0) for alpha in SES_ALPHAS])
    return _trended(months, horizon, grid, (start, np.zeros_like(start)))


def damped_trend(months: Months, horizon: int) -> Floats:
    """Return smoothing of a level and a trend that dies away, from the line of the first year."""
    early = (months.known & (months.age < FIRST_LINE)).astype(np.float64)
    terms = [term.sum(axis=0) for term in line_terms(months, early)]
    start = line_of(terms, least=3 * FIRST_LINE // 4)
    grid = columns_of([(alpha, alpha * share, phi) for alpha, share, phi in DAMPED_GRID])
    return _trended(months, horizon, grid, (start[0] + months.first_value, start[1]))


def _trended(months: Months, horizon: int, grid: Floats, start: tuple[Floats, Floats]) -> Floats:
    best = best_of(grid, _follow(months, grid, start).loss)
    fitted = months.blank(horizon)
    level, trend, _ = _follow(months, best, start, fitted)
    reach = np.cumsum(best[2] ** np.arange(1, horizon + 1)[:, None], axis=0)
    fitted[-horizon:] = level + reach * trend
    return fitted


def _follow(
    months: Months, grid: Floats, start: tuple[Floats, Floats], fitted: Floats | None = None
) -> _Followed:
    """Walk along the months at each point of a grid; note what the first one forecasts if asked."""
    alpha, beta, phi = grid
    level, trend = (np.tile(part, (len(alpha), 1)) for part in start)
    loss, error, move = (np.zeros_like(level) for _ in range(3))
    has_trend = bool(beta.any())
    walk = zip(months.values, months.weight, months.beginning(), strict=True)
    for at, (row, weight, new) in enumerate(walk):
        if has_trend:
            if new.size:
                level[:, new], trend[:, new] = start[0][new], start[1][new]
            trend *= phi
            level += trend
        if fitted is not None:
            fitted[at] = level[0]
        np.subtract(row, level, out=error)
        error *= weight
        loss += np.multiply(error, error, out=move)
        level += np.multiply(error, alpha, out=move)
        if has_trend:
            trend += np.multiply(error, beta, out=move)
    return _Followed(level, trend, loss)


class _Turned(NamedTuple):
    """Level, trend and season after the last month, and the errors on the way."""

    level: Floats
    trend: Floats
    season: Floats
    """Months of the year x points x series."""
    loss: Floats


def holt_winters(months: Months, season: Floats, horizon: int) -> Floats:
    """Return damped smoothing of logs with a season that moves.

    Args:
        months: Values with their season in them; below 0 counts as 0.
        season: Months of the year x series: what each is a multiple of to start with.
    """
    size = mean_where(np.maximum(months.values, 0.0), months.known)
    shares = np.maximum(months.values, 0.0) / np.where(size > 0, size, 1.0)
    logs = Months(np.log(shares + LOG_OFFSET), months.known)
    grid = columns_of([(a, a * b, (1.0 - a) * g) for a, b, g in SEASONAL_GRID])
    best = best_of(grid, _turn(logs, grid, np.log(season)).loss)
    fitted = months.blank(horizon)
    last = _turn(logs, best, np.log(season), fitted)
    ahead = np.arange(1, horizon + 1)
    place = (len(months.values) + ahead - 1) % len(season)
    reach = np.cumsum(SEASONAL_PHI**ahead)[:, None]
    fitted[-horizon:] = last.level + reach * last.trend + last.season[place, 0]
    return (np.exp(fitted) - LOG_OFFSET) * size


def _turn(logs: Months, grid: Floats, season: Floats, fitted: Floats | None = None) -> _Turned:
    """Walk as ``_follow`` does, with a season; errors count as they are, not squared."""
    alpha, beta, gamma = grid
    turning = np.repeat(season[:, None, :], len(alpha), axis=1)
    early = logs.known & (logs.age < START_MONTHS)
    start = mean_where(logs.values - season[np.arange(len(logs.values)) % len(season)], early)
    level = np.tile(start, (len(alpha), 1))
    trend, loss, error, move = (np.zeros_like(level) for _ in range(4))
    for at, (row, weight) in enumerate(zip(logs.values, logs.weight, strict=True)):
        own = turning[at % len(season)]
        trend *= SEASONAL_PHI
        level += trend
        np.add(level, own, out=move)
        if fitted is not None:
            fitted[at] = move[0]
        np.subtract(row, move, out=error)
        error *= weight
        loss += np.abs(error, out=move)
        level += np.multiply(error, alpha, out=move)
        trend += np.multiply(error, beta, out=move)
        own += np.multiply(error, gamma, out=move)
    return _Turned(level, trend, turning, loss)


def mean_where(values: Floats, chosen: Flags) -> Floats:
    """Return the mean of each column over the chosen cells, 0 where none is."""
    total = np.where(chosen, values, 0.0).sum(axis=0)
    count = np.maximum(chosen.sum(axis=0), 1)
    mean: Floats = total / count
    return mean


def line_terms(months: Months, weight: Floats) -> list[Floats]:
    """Return what a straight line is made of once added up over months.

    Months count from 1 at a series' first, values from its first value.
    """
    number = months.age + 1.0
    value = (months.values - months.first_value) * weight
    timed = number * weight
    return [weight, timed, value, number * timed, number * value]


def line_of(sums: list[Floats], *, least: int) -> tuple[Floats, Floats]:
    """Return intercept and slope of least squares, level where under ``least`` months count.

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
    """Return the points of a grid as parameters x points x 1."""
    return np.array(points, dtype=np.float64).T[:, :, None]


def best_of(points: Floats, loss: Floats) -> Floats:
    """Return of each series the point with the least loss, as parameters x 1 x series.

    Args:
        points: Parameters x points x series, or x 1 where all series have the same.
    """
    each = np.broadcast_to(points, (len(points), *loss.shape))
    return np.take_along_axis(each, loss.argmin(axis=0)[None, None, :], axis=1)
