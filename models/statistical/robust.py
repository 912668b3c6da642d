"""Robust exponential smoothing of logs with a season that moves.

Trade comes in lumps: a single ship moves a month. Errors far beyond what is usual move the state
only as far as a large usual one would. No point of the grid is picked: all are mixed, each the
more, the smaller its errors were.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from models.statistical.smoothing import LOG_OFFSET, START_MONTHS, Months, columns_of, mean_where
from store.arrays import Floats, Ints

REACH: Final = 1.75
"""Usual errors that an error counts for at most."""

USUAL_START: Final = 0.3
"""Usual error before any is seen, log units."""

USUAL_RATE: Final = 0.1
"""How fast the usual error follows the errors."""

FOCUS: Final = 0.35
"""How strongly small errors attract weight: the power of the likelihood that mixes the points."""

LEAST_LOSS: Final = 1e-9
"""Mean squared error below which a smaller one attracts no further weight."""

LARGEST_LOG: Final = 60.0
"""Ratio to its mean beyond which no series is extrapolated, log units."""


@dataclass(frozen=True, slots=True)
class SmoothingWeights:
    """How fast a smoothing moves."""

    alphas: tuple[float, ...]
    """Rates of the level."""
    shares: tuple[float, ...]
    """Rates of the trend, as shares of alpha."""
    phi: float
    """What remains of the trend a month later."""
    turns: tuple[float, ...] = (0.0, 0.05, 0.15)
    """Rates of the season, as shares of what alpha leaves."""

    @property
    def grid(self) -> Floats:
        """Return alpha, beta and gamma, each points x 1."""
        points = product(self.alphas, self.shares, self.turns)
        return columns_of([(a, a * b, (1.0 - a) * g) for a, b, g in points])


STEADY: Final = SmoothingWeights((0.05, 0.15, 0.3), (0.0, 0.1), 0.9)
"""For series whose moves mostly pass."""

SWIFT: Final = SmoothingWeights((0.1, 0.25, 0.5, 0.75), (0.05, 0.2), 0.95)
"""For series whose moves mostly last."""


@dataclass(slots=True)
class _State:
    """Where each point of the grid stands; points x series."""

    level: Floats
    trend: Floats
    turning: Floats
    """Year x points x series."""
    usual: Floats
    loss: Floats


def steady(months: Months, season: Floats, horizon: int) -> Floats:
    """Return robust smoothing at a slow pace; arguments as ``robust``."""
    return robust(months, season, horizon, STEADY)


def swift(months: Months, season: Floats, horizon: int) -> Floats:
    """Return robust smoothing at a fast pace with a trend; arguments as ``robust``."""
    return robust(months, season, horizon, SWIFT)


def robust(months: Months, season: Floats, horizon: int, pace: SmoothingWeights) -> Floats:
    """Return what is said of the known months, each one month ahead, then of those after them.

    Args:
        months: Values with their season in them; below 0 counts as 0.
        season: Year x series: what each period of it is a multiple of to start with.
        horizon: Months ahead.
        pace: How fast it moves.
    """
    size = mean_where(np.maximum(months.values, 0.0), months.known)
    shares = np.maximum(months.values, 0.0) / np.where(size > 0, size, 1.0)
    logs = Months(np.log(shares + LOG_OFFSET), months.known)
    last = _walk(logs, np.log(season), pace)
    weight = _weights(last.loss, months.known.sum(axis=0))
    fitted = months.blank(horizon)
    if months.ahead_only:
        fitted[:-horizon] = np.nan
    else:
        _walk(logs, np.log(season), pace, (weight, fitted))
    ahead = np.arange(1, horizon + 1)
    turned = np.einsum("gn,mgn->mn", weight, last.turning)[
        (len(logs.values) + ahead - 1) % len(season)
    ]
    reach = np.cumsum(pace.phi**ahead)[:, None]
    fitted[-horizon:] = (weight * last.level).sum(axis=0) + turned
    fitted[-horizon:] += reach * (weight * last.trend).sum(axis=0)
    return (np.exp(np.minimum(fitted, LARGEST_LOG)) - LOG_OFFSET) * size


def _weights(loss: Floats, count: Ints) -> Floats:
    """Return the weight of each point, points x series; they add up to one."""
    some = np.maximum(count, 1)
    fit = -FOCUS * some * np.log(loss / some + LEAST_LOSS)
    share = np.exp(fit - fit.max(axis=0))
    weight: Floats = share / share.sum(axis=0)
    return weight


def _walk(
    logs: Months, season: Floats, pace: SmoothingWeights, notes: tuple[Floats, Floats] | None = None
) -> _State:
    """Walk along the months at each point; note what the points say together if asked.

    Args:
        logs: Logs of months.
        season: Log season to start with, year x series.
        pace: The points.
        notes: Weights of the points, and room to write what they say into.
    """
    alpha, beta, gamma = pace.grid
    state = _start(logs, season, len(alpha))
    error, move, bound = (np.empty_like(state.level) for _ in range(3))
    for at, (row, weight) in enumerate(zip(logs.values, logs.weight, strict=True)):
        own = state.turning[at % len(season)]
        state.trend *= pace.phi
        state.level += state.trend
        np.add(state.level, own, out=move)
        if notes is not None:
            notes[1][at] = (notes[0] * move).sum(axis=0)
        np.subtract(row, move, out=error)
        error *= weight
        state.loss += np.multiply(error, error, out=move)
        np.multiply(state.usual, REACH, out=bound)
        np.abs(error, out=move)
        np.minimum(move, 2.0 * bound, out=move)
        move -= state.usual
        state.usual += np.multiply(move, USUAL_RATE * weight, out=move)
        np.minimum(error, bound, out=error)
        np.maximum(error, np.negative(bound, out=bound), out=error)
        state.level += np.multiply(error, alpha, out=move)
        state.trend += np.multiply(error, beta, out=move)
        own += np.multiply(error, gamma, out=move)
    return state


def _start(logs: Months, season: Floats, points: int) -> _State:
    early = logs.known & (logs.age < START_MONTHS)
    place = np.arange(len(logs.values)) % len(season)
    level = np.tile(mean_where(logs.values - season[place], early), (points, 1))
    zero = np.zeros_like(level)
    turning = np.repeat(season[:, None, :], points, axis=1)
    return _State(level, zero, turning, np.full_like(level, USUAL_START), zero.copy())
