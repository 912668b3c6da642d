"""Draws of tonnes from published quantiles, paired by rank, and quantiles of draws."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from store.vocabulary import QUANTILES

Floats = NDArray[np.float64]

TOGETHER: Final = 0.5
"""Correlation of what destinations do besides, in normal scores."""

LEAST: Final = 1e-6


def ranks(series: int, count: int, seed: int) -> Floats:
    """Return draws of where each series lies in its distribution, in all its months.

    Draws x series, 0 to 1; destinations err together in part.
    """
    draw = np.random.default_rng(seed)
    shared = draw.standard_normal((count, 1)) * np.sqrt(TOGETHER)
    return np.asarray(
        ndtr(shared + draw.standard_normal((count, series)) * np.sqrt(1.0 - TOGETHER))
    )


def ranks_of(draws: Floats) -> Floats:
    """Return where each draw lies among all of its cell, 0 to 1."""
    order = draws.argsort(axis=0, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(len(draws)).reshape(-1, *[1] * (draws.ndim - 1)), 0)
    return np.asarray((place + 0.5) / len(draws))


def drawn(plain: Floats, at: Floats) -> Floats:
    """Return what lies at ranks of quantiles.

    The quantile function is linear between the published levels and runs on beyond the outer two.

    Args:
        plain: Series x targets x ``QUANTILES``, in tonnes.
        at: Ranks, draws x series x targets.
    """
    levels = np.array([0.0, *QUANTILES, 1.0])
    low = plain[..., :1] ** 2 / np.maximum(plain[..., 1:2], LEAST)
    high = plain[..., -1:] ** 2 / np.maximum(plain[..., -2:-1], LEAST)
    edges = np.concatenate([low, plain, high], axis=2)
    place = np.clip(np.searchsorted(levels, at) - 1, 0, len(levels) - 2)
    part = (at - levels[place]) / (levels[place + 1] - levels[place])
    below = np.take_along_axis(edges[None], place[..., None], axis=3)[..., 0]
    above = np.take_along_axis(edges[None], place[..., None] + 1, axis=3)[..., 0]
    return np.asarray(below + part * (above - below))


def summed(draws: Floats, groups: Sequence[NDArray[np.int64]]) -> Floats:
    """Return draws with those of sums made from their members'; draws x series x targets."""
    found = draws.copy()
    for row, members in enumerate(groups):
        if len(members) > 1:
            found[:, row] = draws[:, members].sum(axis=1)
    return found


def quantiles_of_draws(draws: Floats) -> Floats:
    """Return quantiles of draws, series x targets x ``QUANTILES``."""
    return np.moveaxis(np.quantile(draws, QUANTILES, axis=0), 0, -1)
