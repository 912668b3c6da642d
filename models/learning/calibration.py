"""What past errors set: combination weights, shrunk to a prior, and conformal bands."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from store.arrays import Floats, Ints

NEAR: Final = 3
"""Periods ahead up to which a horizon counts as near, of months: a quarter of a year."""

SHARPNESS: Final = 4.0
"""Power of the inverse errors that weights are in proportion to, before they are shrunk."""

LEAST_CHECKED: Final = 50
"""Cells below which nothing is measured."""

LEAST_LOSS: Final = 1e-12
"""Mean error of a candidate below which a smaller one counts no more."""


def is_far(horizon: Floats | Ints, near: int = NEAR) -> Ints:
    """Return 0 for each horizon of at most ``near`` periods and 1 for each far one."""
    return (horizon > near).astype(np.int64)


def combination_weights(
    error: Floats,
    horizon: Floats | Ints,
    *,
    trust: float,
    prior: Floats,
    near: int = NEAR,
) -> Floats:
    """Return weights in proportion to a power of the inverse error, shrunk to a prior.

    Args:
        error: Absolute errors, cells x candidates, in any unit, times what each cell counts.
        horizon: Periods ahead of each cell.
        trust: How far measured weights count against the prior, 0 to 1.
        prior: Weights before any error is known; add up to one.
        near: Periods ahead that count as near.

    Returns:
        (near, far) x candidates; each row adds up to one, and is the prior where fewer than
        ``LEAST_CHECKED`` cells are known.
    """
    far = is_far(horizon, near)
    return np.stack([_shrunk(error[far == reach], trust, prior) for reach in (0, 1)])


def _shrunk(error: Floats, trust: float, prior: Floats) -> Floats:
    if len(error) < LEAST_CHECKED:
        return prior
    loss = np.maximum(error.mean(axis=0), LEAST_LOSS)
    sharp = (loss.min() / loss) ** SHARPNESS
    weights: Floats = trust * sharp / sharp.sum() + (1.0 - trust) * prior
    return weights


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
