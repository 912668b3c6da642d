"""Placebo in time: what a comparison shows at dates at which nothing happened.

A comparison sets actual months against a path without an event. The same comparison made at placebo
dates shows how far such paths go wrong on their own; that is the only measure of what an event did.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtri

from store.arrays import Floats

_BAND: Final = (0.1, 0.9)
"""Quantiles of the bands: 80 percent."""

FEWEST_DATES: Final = 8
"""Fewer placebo dates than this make no band."""

BEGINS_WITHIN: Final = 3
"""A fall begins within this many months of an announcement, or it is not the event's."""

DOUBTS: Final = ndtri((np.arange(15) + 0.5) / 15)
"""Normal scores at which an uncertain month is tried."""

_LEAST: Final = 1e-9


@dataclass(frozen=True, slots=True)
class PlaceboWindow:
    """Actuals and a path, of one series from one date on; arrays are months."""

    path: Floats
    actual: Floats
    """Tonnes."""
    stderr: Floats
    """Standard error of ``actual`` in tonnes."""


@dataclass(frozen=True, slots=True)
class SeriesComparison:
    """One series against its path, from the event on and from each placebo date on."""

    own: PlaceboWindow
    fakes: list[PlaceboWindow]


@dataclass(frozen=True, slots=True)
class EffectEstimate:
    """What is missing against a path over some months, and how unusual that is."""

    missing: float
    """Path less actuals, in tonnes; negative where exports were higher."""
    low: float
    high: float
    """The 80 percent band of what is missing."""
    rank: int
    """One and the placebo dates at which as large a share was missing, or above."""
    dates: int
    """Fake dates."""


def found(own: PlaceboWindow, fakes: list[PlaceboWindow], months: slice) -> EffectEstimate:
    """Return what is missing over some months with its band and rank.

    The band holds the errors of the path at placebo dates and the doubt about actual months, both
    then and now; a window's months are taken to err the same way, which is the widest case.

    Args:
        fakes: From each placebo date on, with at least as many months; ``FEWEST_DATES`` at least.
        months: Which months count, from the date on.
    """
    ratio = _ratio_draws(fakes, months).reshape(-1)
    path, actual = own.path[months].sum(), own.actual[months].sum()
    now = actual * np.exp(DOUBTS * own.stderr[months].sum() / max(actual, _LEAST))
    draws = path * ratio[:, None] - now[None, :]
    low, high = np.quantile(draws, _outward(len(fakes)))
    missing = path - actual
    share = missing / max(path, _LEAST)
    others = np.array([_share(fake, months) for fake in fakes])
    as_far = others >= share if share >= 0 else others <= share
    return EffectEstimate(
        float(missing), float(low), float(high), 1 + int(as_far.sum()), len(fakes)
    )


def least_ratios(fakes: list[PlaceboWindow], months: int) -> Floats:
    """Return the share of the path below which a single month falls out of the band, by month."""
    level = _outward(len(fakes))[0]
    singles = [_ratio_draws(fakes, slice(k, k + 1)) for k in range(months)]
    return np.array([np.quantile(single, level) for single in singles])


def fall_months(own: PlaceboWindow, least: Floats) -> int:
    """Return how many months a fall lasts, from the date on to the last month below the band.

    It must begin within ``BEGINS_WITHIN``; 0 without one.
    """
    below = own.actual < least * own.path
    begins = np.flatnonzero(below[:BEGINS_WITHIN])
    if not len(begins):
        return 0
    back = np.flatnonzero(~below[begins[0] :])
    return int(begins[0] + back[0]) if len(back) else len(below)


def depth(own: PlaceboWindow, least: Floats) -> float:
    """Return what a fall took, in months of the path; 0 without one."""
    length = fall_months(own, least)
    taken = (own.path - own.actual)[:length].sum()
    return float(taken / max(own.path.mean(), _LEAST))


def depth_rank(own: PlaceboWindow, fakes: list[PlaceboWindow], least: Floats) -> int:
    """Return one and the number of placebo dates whose own fall, by the same rule, took as much."""
    mine = depth(own, least)
    return 1 + sum(depth(fake, least) >= mine for fake in fakes)


def _share(window: PlaceboWindow, months: slice) -> float:
    path = window.path[months].sum()
    return float((path - window.actual[months].sum()) / max(path, _LEAST))


def _ratio_draws(fakes: list[PlaceboWindow], months: slice) -> Floats:
    path = np.array([fake.path[months].sum() for fake in fakes])
    actual = np.array([fake.actual[months].sum() for fake in fakes])
    doubt = np.array([fake.stderr[months].sum() for fake in fakes]) / np.maximum(actual, _LEAST)
    ratio = actual / np.maximum(path, _LEAST)
    return np.asarray(ratio[:, None] * np.exp(doubt[:, None] * DOUBTS[None, :]))


def _outward(dates: int) -> Floats:
    """Return the band's levels moved outward for a finite number of dates."""
    return np.clip(0.5 + (np.array(_BAND) - 0.5) * (1.0 + 1.0 / dates), 0.0, 1.0)
