"""Conformal bands: weighted quantiles of past errors, mixed with a default."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

HORIZON_REACH: Final = 0.5
"""How far, in log horizons, an error counts for other horizons."""

TAILS: Final = stats.t(df=4)
"""Distribution of scores before any is known: heavier tails than a normal's."""


def default_scores(count: int) -> Floats:
    """Return evenly spaced quantiles of ``TAILS``."""
    return np.asarray(TAILS.ppf((np.arange(count) + 0.5) / count))


def horizon_weight(horizon: NDArray[Any], ahead: int) -> Floats:
    """Return how much errors at some horizons count for another, by their log distance."""
    gap = np.log(horizon / ahead)
    return np.asarray(np.exp(-0.5 * (gap / HORIZON_REACH) ** 2))


def with_default(
    scores: Floats, weight: Floats, default: Floats, worth: float
) -> tuple[Floats, Floats]:
    """Return observed and default scores with their weights.

    Args:
        scores: Observed.
        weight: Of each.
        default: Scores that count together as ``worth`` observations.
        worth: Weight of the default.
    """
    prior = np.full(len(default), worth / len(default))
    return np.concatenate([scores, default]), np.concatenate([weight, prior])


def weighted_quantiles(values: Floats, weights: Floats, levels: Floats) -> Floats:
    """Return quantiles of weighted values, interpolated between the middles of their weights."""
    order = np.argsort(values, kind="stable")
    ordered = weights[order]
    place = (np.cumsum(ordered) - 0.5 * ordered) / ordered.sum()
    return np.asarray(np.interp(levels, place, values[order]))
