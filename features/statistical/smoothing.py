"""Exponential smoothing of many series at once: loops over months and grids, never over series.

Arrays are months x series, so that one month of all series lies together. A gap moves no state but
time. Each method returns its forecasts of the months after the known ones. The parameters of a
series are those of a grid with the least errors, one month ahead, on the way.
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
"""First months whose mean is the level that smoothing without a trend starts from."""

SES_ALPHAS: Final = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)

DAMPED_GRID: Final = tuple(product((0.1, 0.3, 0.6, 0.9), (0.02, 0.1), (0.85, 0.97)))
"""Alpha, beta as a share of alpha, phi."""

FIRST_LINE: Final = 12
"""Months whose line is the first trend; three quarters must be known."""

LOG_OFFSET: Final = 0.05
"""Added before logs are taken, as a share of the series' mean, so that zeros have one."""


@dataclass(frozen=True, slots=True)
class Months:
    """Some series, months x series."""

    values: Floats
    """0 where unknown."""
    known: Flags

    @classmethod
    def of(cls, values: Floats) -> Self:
        """Take series x months, NaN where missing."""
        known = np.ascontiguousarray(np.isfinite(values).T)
        return cls(np.where(known, np.ascontiguousarray(values.T), 0.0), known)

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
    alpha, beta, phi = grid
    level, trend = (np.tile(part, (len(alpha), 1)) for part in start)
    loss, error, move = (np.zeros_like(level) for _ in range(3))
    has_trend = bool(beta.any())
    for row, weight, new in zip(months.values, months.weight, months.beginning(), strict=True):
        if has_trend:
            if new.size:
                level[:, new], trend[:, new] = start[0][new], start[1][new]
            trend *= phi
            level += trend
        np.subtract(row, level, out=error)
        error *= weight
        loss += np.multiply(error, error, out=move)
        level += np.multiply(error, alpha, out=move)
        if has_trend:
            trend += np.multiply(error, beta, out=move)
    level, trend, phi = best_of(loss, level, trend, phi)
    reach = np.cumsum(phi ** np.arange(1, horizon + 1)[:, None], axis=0)
    return np.asarray(level + reach * trend)


REACH: Final = 1.75
"""Usual errors that an error counts for at most."""

USUAL_START: Final = 0.3
"""Usual error before any is seen, log units."""

USUAL_RATE: Final = 0.1
"""How fast the usual error follows the errors."""

FOCUS: Final = 0.35
"""How strongly small errors attract weight: the power of the likelihood that mixes the points."""

_LEAST_LOSS: Final = 1e-9
"""Mean squared error below which a smaller one attracts no further weight."""

LARGEST_LOG: Final = 60.0
"""Ratio to its mean beyond which no series is extrapolated, log units."""


@dataclass(frozen=True, slots=True)
class SmoothingWeights:
    """How fast a smoothing with a season moves, and what it makes of its errors."""

    alphas: tuple[float, ...]
    """Rates of the level."""
    shares: tuple[float, ...]
    """Rates of the trend, as shares of alpha."""
    phi: float
    """What remains of the trend a month later."""
    turns: tuple[float, ...] = (0.0, 0.05, 0.15)
    """Rates of the season, as shares of what alpha leaves."""
    is_robust: bool = True
    """Whether large errors are cut and the points of the grid mixed by their squared errors; else
    the point with the least absolute errors is taken."""

    @property
    def grid(self) -> Floats:
        points = product(self.alphas, self.shares, self.turns)
        return columns_of([(a, a * b, (1.0 - a) * g) for a, b, g in points])


HOLT_WINTERS: Final = SmoothingWeights(
    (0.1, 0.25, 0.5, 0.75), (0.0, 0.1), 0.9, turns=(0.0, 0.1, 0.25), is_robust=False
)

STEADY: Final = SmoothingWeights((0.05, 0.15, 0.3), (0.0, 0.1), 0.9)
"""For series whose moves mostly pass."""

SWIFT: Final = SmoothingWeights((0.1, 0.25, 0.5, 0.75), (0.05, 0.2), 0.95)
"""For series whose moves mostly last."""


def seasonal(months: Months, season: Floats, horizon: int, *, pace: SmoothingWeights) -> Floats:
    """Return damped smoothing of logs with a season that moves.

    Args:
        months: Values with their season in them; below 0 counts as 0.
        season: Months of the year x series: what each is a multiple of to start with.
    """
    logs, size = _logs_of(months)
    level, trend, turning, loss = _walk(logs, np.log(season), pace, pace.grid)
    weight = _weights(loss, months.known.sum(axis=0), pace)
    ahead = np.arange(1, horizon + 1)
    turned = np.einsum("gn,mgn->mn", weight, turning)
    fitted = (weight * level).sum(axis=0) + turned[(len(logs.values) + ahead - 1) % len(season)]
    fitted += np.cumsum(pace.phi**ahead)[:, None] * (weight * trend).sum(axis=0)
    return np.asarray((np.exp(np.minimum(fitted, LARGEST_LOG)) - LOG_OFFSET) * size)


def errors_within(values: Floats, season: Floats) -> Floats:
    """Return values less what Holt-Winters smoothing said of them one month ahead.

    With parameters chosen on the whole history; a thousand series at a time.

    Args:
        values: Series x months, NaN where missing; not modified.
        season: Series x months of the year, as ``season_profiles`` returns.

    Returns:
        Series x months; NaN where the value is unknown or a series' first.
    """
    found = np.empty(values.shape)
    for at in range(0, len(values), BLOCK):
        part = slice(at, at + BLOCK)
        months, turning = Months.of(values[part]), np.log(np.ascontiguousarray(season[part].T))
        logs, size = _logs_of(months)
        *_, loss = _walk(logs, turning, HOLT_WINTERS, HOLT_WINTERS.grid)
        best = np.stack(best_of(loss, *HOLT_WINTERS.grid))[:, None]
        said = np.empty(months.values.shape)
        _walk(logs, turning, HOLT_WINTERS, best, said)
        one_ahead = np.maximum((np.exp(said) - LOG_OFFSET) * size, 0.0)
        later = months.known & (months.age > 0)
        found[part] = np.where(later, months.values - one_ahead, np.nan).T
    return found


def _logs_of(months: Months) -> tuple[Months, Floats]:
    """Return the logs of series as shares of their mean, and that mean."""
    size = mean_where(np.maximum(months.values, 0.0), months.known)
    shares = np.maximum(months.values, 0.0) / np.where(size > 0, size, 1.0)
    return Months(np.log(shares + LOG_OFFSET), months.known), size


def _weights(loss: Floats, count: Ints, pace: SmoothingWeights) -> Floats:
    """Return the weight of each point, points x series; they add up to one."""
    if not pace.is_robust:
        return np.where(np.arange(len(loss))[:, None] == loss.argmin(axis=0), 1.0, 0.0)
    some = np.maximum(count, 1)
    fit = -FOCUS * some * np.log(loss / some + _LEAST_LOSS)
    share = np.exp(fit - fit.max(axis=0))
    weight: Floats = share / share.sum(axis=0)
    return weight


def _walk(
    logs: Months, season: Floats, pace: SmoothingWeights, grid: Floats, said: Floats | None = None
) -> tuple[Floats, Floats, Floats, Floats]:
    """Walk along the months at each point; note what the first one says of each if asked.

    Returns:
        Level and trend after the last month, points x series; the season, months of the year x
        points x series; and the errors added up.
    """
    alpha, beta, gamma = grid
    early = logs.known & (logs.age < START_MONTHS)
    place = np.arange(len(logs.values)) % len(season)
    level = np.tile(mean_where(logs.values - season[place], early), (len(alpha), 1))
    trend, loss, error, move, bound = (np.zeros_like(level) for _ in range(5))
    turning = np.repeat(season[:, None, :], len(alpha), axis=1)
    usual = np.full_like(level, USUAL_START)
    for at, (row, weight) in enumerate(zip(logs.values, logs.weight, strict=True)):
        own = turning[at % len(season)]
        trend *= pace.phi
        level += trend
        np.add(level, own, out=move)
        if said is not None:
            said[at] = move[0]
        np.subtract(row, move, out=error)
        error *= weight
        if pace.is_robust:
            loss += np.multiply(error, error, out=move)
            np.multiply(usual, REACH, out=bound)
            np.minimum(np.abs(error, out=move), 2.0 * bound, out=move)
            move -= usual
            usual += np.multiply(move, USUAL_RATE * weight, out=move)
            np.minimum(error, bound, out=error)
            np.maximum(error, np.negative(bound, out=bound), out=error)
        else:
            loss += np.abs(error, out=move)
        level += np.multiply(error, alpha, out=move)
        trend += np.multiply(error, beta, out=move)
        own += np.multiply(error, gamma, out=move)
    return level, trend, turning, loss


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


def best_of(loss: Floats, *parts: Floats) -> list[Floats]:
    """Return of each part what it is at the point with the least loss, one number a series.

    Args:
        loss: Points x series.
        parts: Points x series, or x 1 where all series have the same.
    """
    best = loss.argmin(axis=0)[None]
    each = (np.broadcast_to(part, loss.shape) for part in parts)
    return [np.take_along_axis(part, best, axis=0)[0] for part in each]
