"""Draws of tonnes from published quantiles, paired by rank, and quantiles of draws."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.special import ndtr

from store.arrays import Flags, Floats, Ints
from store.vocabulary import QUANTILES

TOGETHER: Final = 0.5
"""Correlation of what destinations do besides, in normal scores."""

LEAST: Final = 1e-6

_LEVELS: Final = np.array([0.0, *QUANTILES, 1.0])


SOFTENED: Final = 0.5
"""Share of its effect that a softened act has."""


def outcome_draws(chances: Sequence[float], seed: int, count: int) -> tuple[Flags, Flags, Flags]:
    """In which draws an act comes as announced, late, or softened; in the others never.

    The more probable an act, the more draws feel it, and those of before among them.
    """
    as_announced, postponed, softened, _ = chances
    at = (np.random.default_rng([seed, 4]).permutation(count) + 0.5) / count
    is_soft = (at >= as_announced) & (at < as_announced + softened)
    is_late = (at >= as_announced + softened) & (at < as_announced + softened + postponed)
    return at < as_announced, is_late, is_soft


def ranks(series: int, count: int, seed: int) -> Floats:
    """Ranks of each series in its distribution, the same in all its months.

    Draws x series, 0 to 1; destinations err together in part.
    """
    draw = np.random.default_rng(seed)
    shared = draw.standard_normal((count, 1)) * np.sqrt(TOGETHER)
    return np.asarray(
        ndtr(shared + draw.standard_normal((count, series)) * np.sqrt(1.0 - TOGETHER))
    )


def month_ranks(months: int, carry: float, count: int, seed: int) -> Floats:
    """Ranks of one series in its distribution, month by month.

    Draws x months, 0 to 1; normal scores of months k apart correlate as ``carry`` to the power of
    k, from 0 (each month for itself) to 1 (all alike).
    """
    steps = np.random.default_rng(seed).standard_normal((count, months))
    for month in range(1, months):
        innovation = np.sqrt(1.0 - carry**2) * steps[:, month]
        steps[:, month] = carry * steps[:, month - 1] + innovation
    return np.asarray(ndtr(steps))


def ranks_of(draws: Floats) -> Floats:
    """Rank of each draw within its cell, 0 to 1."""
    order = draws.argsort(axis=0, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(len(draws)).reshape(-1, *[1] * (draws.ndim - 1)), 0)
    return np.asarray((place + 0.5) / len(draws))


def drawn(plain: Floats, at: Floats) -> Floats:
    """Tonnes at ranks of the distribution of each cell, draws x series x targets.

    The quantile function is linear between the published levels and runs on beyond the outer two.

    Args:
        plain: Series x targets x ``QUANTILES``, in tonnes.
    """
    levels, edges = _LEVELS, _edges(plain)
    place = np.clip(np.searchsorted(levels, at) - 1, 0, len(levels) - 2)
    part = (at - levels[place]) / (levels[place + 1] - levels[place])
    below = np.take_along_axis(edges[None], place[..., None], axis=3)[..., 0]
    above = np.take_along_axis(edges[None], place[..., None] + 1, axis=3)[..., 0]
    return np.asarray(below + part * (above - below))


def ranks_within(plain: Floats, tonnes: Floats) -> Floats:
    """Ranks of tonnes within quantiles, 0 to 1; the inverse of ``drawn``.

    Args:
        plain: Cells x ``QUANTILES``, in tonnes.
    """
    edges = _edges(plain)
    return np.array(
        [np.interp(level, row, _LEVELS) for level, row in zip(tonnes, edges, strict=True)]
    )


def _edges(plain: Floats) -> Floats:
    """Quantiles extended by the ends of the distribution on either side."""
    low = plain[..., :1] ** 2 / np.maximum(plain[..., 1:2], LEAST)
    high = plain[..., -1:] ** 2 / np.maximum(plain[..., -2:-1], LEAST)
    return np.concatenate([low, plain, high], axis=-1)


def summed(draws: Floats, groups: Sequence[Ints]) -> Floats:
    """Draws, those of sums added up from their members'; draws x series x targets.

    Examples:
        >>> groups = [np.array([0]), np.array([1]), np.array([0, 1])]
        >>> summed(np.array([[[1.0], [2.0], [9.0]]]), groups).tolist()
        [[[1.0], [2.0], [3.0]]]
    """
    totals = draws.copy()
    for row, members in enumerate(groups):
        if len(members) > 1:
            totals[:, row] = draws[:, members].sum(axis=1)
    return totals


def quantiles_of_draws(draws: Floats) -> Floats:
    """Quantiles of draws, series x targets x ``QUANTILES``."""
    return np.moveaxis(np.quantile(draws, QUANTILES, axis=0), 0, -1)
