"""Coherent sums: the means of the destinations add up to those of the world and of EU27.

None is negative.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Floats = NDArray[np.float64]


def coherent_factors(mean: Floats, spread: Floats, groups: Sequence[NDArray[np.int64]]) -> Floats:
    """Return by what to multiply each series' quantiles so that the means add up.

    The coherent means are the non-negative ones nearest to the given, each distance in units of its
    uncertainty: a sum known well moves its uncertain parts, and the other way round. Destinations
    mostly err together (a shock hits all), so the variance of each is its spread times that of
    their plain sum; taken as independent, their sum would seem surer than the world itself.

    Args:
        mean: Series x months, in tonnes, at least 0.
        spread: Standard deviation of each mean, in tonnes.
        groups: For each series the rows that add up to it; a destination holds only itself.

    Returns:
        Factors, series x months; ones where nothing is a sum.
    """
    series, months = mean.shape
    bottom = [row for row in range(series) if len(groups[row]) == 1]
    if len(bottom) == series:
        return np.ones_like(mean)
    summing = np.zeros((series, len(bottom)))
    for row, members in enumerate(groups):
        summing[row, [bottom.index(int(m)) for m in members]] = 1.0
    coherent = np.empty_like(mean)
    sure = np.maximum(spread, 1e-6 + 1e-3 * mean)
    together = np.where(np.isin(np.arange(series), bottom)[:, None], sure[bottom].sum(axis=0), sure)
    for month in range(months):
        unit = 1.0 / np.sqrt(sure[:, month] * together[:, month])
        parts, _ = nnls(summing * unit[:, None], mean[:, month] * unit)
        coherent[:, month] = summing @ parts
    return coherent / np.maximum(mean, 1e-9)
