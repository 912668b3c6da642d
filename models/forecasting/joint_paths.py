"""Sums of months and destinations along joint simulated paths.

Months and destinations that err together make the band of a sum wider than months that err each for
itself. A path draws where each month lies in its published distribution; normal scores of one
destination k months apart correlate as the carry to the power of k, those of two destinations in
the same month as a share of that. Both are measured on past errors
(``models.evaluation.scores.error_copula``).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri

from models.policy.drawing import TOGETHER, drawn, month_ranks
from store.arrays import Floats
from store.vocabulary import QUANTILES

PATHS: Final = 10_000
SEED: Final = 0
"""The same quantiles always give the same paths."""

USUAL_CARRY: Final = 0.7
"""Used where no backtest was published. Near the 0.68 of the backtest on the bundled figures."""

_MOST_DRAWN: Final = 5_000_000
"""Cells drawn at once; bounds the memory."""


@dataclass(frozen=True, slots=True)
class ErrorCopula:
    """How errors of different months and destinations go together."""

    carry: float = USUAL_CARRY
    """Share of one month's error that carries into the next, 0 to 1."""
    together: float = TOGETHER
    """Correlation of two destinations' errors in one month, 0 to 1."""


def sample_paths(quantiles: Floats, copula: ErrorCopula, count: int = PATHS) -> Floats:
    """Simulated exports to some destinations, paths x destinations x months in tonnes.

    Args:
        quantiles: Destinations x months x ``QUANTILES`` in tonnes, as published.
        count: How many paths.
    """
    return drawn(quantiles, _ranks(*quantiles.shape[:2], copula, count))


def quantiles_of_sums(quantiles: Floats, carry: float, count: int = PATHS) -> Floats:
    """Quantiles of the sum of the months of each row, rows x ``QUANTILES`` in tonnes.

    Args:
        quantiles: Rows x months x ``QUANTILES`` in tonnes; every row is drawn for itself.
        carry: Share of one month's error that carries into the next, 0 to 1.
        count: How many paths of each.
    """
    rows, months = quantiles.shape[:2]
    at = _ranks(1, months, ErrorCopula(carry), count)
    step = max(_MOST_DRAWN // (count * max(months, 1)), 1)
    sums = np.empty((rows, len(QUANTILES)))
    for start in range(0, rows, step):
        total = drawn(quantiles[start : start + step], at).sum(axis=2)
        sums[start : start + step] = np.quantile(total, QUANTILES, axis=0).T
    return sums


@lru_cache(maxsize=8)
def _ranks(series: int, months: int, copula: ErrorCopula, count: int) -> Floats:
    """Probability level drawn for each month, paths x series x months, 0 to 1."""
    if series == 1:
        return month_ranks(months, copula.carry, count, SEED)[:, None]
    common, *specific = (
        ndtri(month_ranks(months, copula.carry, count, SEED + place)) for place in range(series + 1)
    )
    shared = np.sqrt(copula.together) * common[:, None]
    return np.asarray(ndtr(shared + np.sqrt(1.0 - copula.together) * np.stack(specific, axis=1)))
