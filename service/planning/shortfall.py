"""Simulated paths of exports, their sums, and shortfalls of a need along them."""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.policy.drawing import drawn, month_ranks
from store.vocabulary import QUANTILES

Floats = NDArray[np.float64]

PATHS: Final = 10_000
SEED: Final = 0
"""The same quantiles always give the same paths."""

USUAL_AUTOCORRELATION: Final = 0.7
"""Used where no backtest was published. Near the 0.68 of the backtest on the bundled figures."""


def sample_paths(quantiles: Floats, autocorrelation: float) -> Floats:
    """Return simulated months in a row, paths x months in tonnes.

    Args:
        quantiles: Months x ``QUANTILES`` in tonnes, as published.
        autocorrelation: Share of one month's error that carries into the next, 0 to 1.
    """
    ranks = _ranks(len(quantiles), autocorrelation)
    return drawn(quantiles[None], ranks[:, None, :])[:, 0]


def quantiles_of_sum(quantiles: Floats, autocorrelation: float) -> Floats:
    """Return the quantiles of months taken together, in tonnes; arguments as ``sample_paths``."""
    total = sample_paths(quantiles, autocorrelation).sum(axis=1)
    return np.asarray(np.quantile(total, QUANTILES))


@lru_cache(maxsize=8)
def _ranks(months: int, autocorrelation: float) -> Floats:
    return month_ranks(months, autocorrelation, PATHS, SEED)


def largest_gap(paths: Floats, tonnes: float) -> Floats:
    """Return the largest cumulative shortfall of each path, in tonnes.

    A surplus month refills the stock, but never above its starting level.

    Args:
        paths: Paths x months in tonnes, the first month first.
        tonnes: The need of each month.
    """
    gap = np.zeros(len(paths))
    largest = gap
    for arrived in paths.T:
        gap = np.maximum(gap + tonnes - arrived, 0.0)
        largest = np.maximum(largest, gap)
    return np.asarray(largest)


def buffer_for(paths: Floats, tonnes: float, cover: float) -> float:
    """Return the smallest stock that covers a share ``cover`` of the paths, in tonnes.

    Args:
        paths: As ``largest_gap``; without months there is no shortfall.
        tonnes: The need of each month.
        cover: 0 to 1.
    """
    return float(np.quantile(largest_gap(paths, tonnes), cover, method="inverted_cdf"))


def any_short(paths: Floats, tonnes: float) -> float:
    """Return the share of paths with at least one month below the need."""
    return float((paths < tonnes).any(axis=1).mean())
