"""Coherent sums: the means of the parts add up to those of their sums, and none is negative.

``reconcile`` does it for any tree of sums, ``coherent_factors`` for a few series whose spread is
known by month.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import sparse
from scipy.optimize import nnls
from threadpoolctl import threadpool_limits

from models.reconciliation.projection import coherent_leaves, shrunk_covariance
from models.reconciliation.tree import Tree
from store.arrays import Flags, Floats, Ints
from store.errors import DataError

MOST_LEAVES: Final = 1000
"""Leaves up to which means are reconciled: the covariance of all errors is formed."""

WIDEST: Final = 2.0
"""Most that a band is widened by; a mean near nothing may rise by any factor."""


def reconcile(
    mean: Floats, quantiles: Floats, residuals: Floats, tree: Tree
) -> tuple[Floats, Floats]:
    """Return means that add up, and each series' quantiles moved along with its mean.

    Means add up; quantiles by their nature do not: a sum errs less than its parts together, so its
    p95 is below the sum of theirs. Each series keeps the shape of its own distribution.

    Args:
        mean: Series x months ahead, in tonnes; series are the rows of ``tree.series``. A row with
            NaN is not forecast: such a leaf counts as nothing.
        quantiles: Series x months ahead x levels, ascending, in tonnes, at least 0.
        residuals: Series x past months of one-step errors of the same forecasts, in tonnes, months
            aligned; NaN where there is none.
        tree: What adds up to what.

    Returns:
        Means and quantiles in the shapes given; see ``coherent_means`` and ``moved_quantiles``.

    Raises:
        DataError: The shapes do not fit the tree.
    """
    found = coherent_means(mean, residuals, tree)
    return found, moved_quantiles(quantiles, mean, found, tree)


def coherent_means(mean: Floats, residuals: Floats, tree: Tree) -> Floats:
    """Return the non-negative means that add up and are nearest to the given (MinT-shrink).

    Distances are in units of the shrunk covariance of the one-step errors, assumed to keep its form
    further ahead. A forecast below zero counts as zero. Series outside the tree stay as they are,
    and so does a sum none of whose leaves is forecast; one that is not forecast itself is added up.

    Beyond ``MOST_LEAVES`` the leaves stay as they are and the sums are added up from them.

    Args:
        mean: As in ``reconcile``.
        residuals: As in ``reconcile``.
        tree: What adds up to what.

    Returns:
        Series x months ahead; sums are added up from their leaves, exact but for rounding.

    Raises:
        DataError: The shapes do not fit the tree.
    """
    _check_shapes(mean, residuals, tree)
    is_said = _is_said(mean)
    leaves = np.flatnonzero(is_said[tree.leaves])
    structure = sparse.csr_array(tree.structure[:, leaves])
    reached = np.diff(structure.indptr) > 0
    bottom = np.maximum(mean[tree.leaves[leaves]], 0.0)
    if len(leaves) <= MOST_LEAVES:
        free = np.flatnonzero(reached & is_said[tree.sums])
        rows = np.concatenate([tree.sums[free], tree.leaves[leaves]])
        bounded = np.maximum(mean[rows], 0.0)
        with threadpool_limits(limits=1, user_api="blas"):  # same bits on any number of cores
            bottom = coherent_leaves(
                bounded[: len(free)],
                bottom,
                structure=sparse.csr_array(structure[free]),
                covariance=shrunk_covariance(residuals[rows], bounded.mean(axis=1)),
            )
    found = mean.copy()
    found[tree.leaves[leaves]] = bottom
    found[tree.sums[reached]] = (structure @ bottom)[reached]
    return found


def moved_quantiles(quantiles: Floats, before: Floats, after: Floats, tree: Tree) -> Floats:
    """Return each series' quantiles moved with its mean: in order, none negative.

    They are multiplied as the mean was, by ``WIDEST`` at most, and lifted by what is left of its
    rise, so that it stays the mean of the distribution. Bands are not narrowed by what the sums
    tell of their parts: that is no surer than the covariance, and calibrated bands held without it.
    A sum that was not forecast itself gets the quantiles of its leaves added up, as if all erred
    together.

    Args:
        quantiles: Series x months ahead x levels, ascending, in tonnes, at least 0.
        before: Means that belong to them, series x months ahead.
        after: Coherent means.
        tree: What adds up to what.
    """
    bounded = np.maximum(before, 0.0)
    ratio = np.where(bounded > 0, WIDEST, 1.0)
    np.divide(after, bounded, out=ratio, where=bounded > after / WIDEST)
    lift = np.maximum(after - ratio * bounded, 0.0)
    moved: Floats = quantiles * ratio[:, :, None] + lift[:, :, None]
    unsaid = np.flatnonzero(_is_said(after[tree.sums]) & ~_is_said(before[tree.sums]))
    parts = np.nan_to_num(moved[tree.leaves])
    together = tree.structure[unsaid] @ parts.reshape(len(parts), math.prod(parts.shape[1:]))
    moved[tree.sums[unsaid]] = together.reshape(len(unsaid), *parts.shape[1:])
    return moved


def _is_said(mean: Floats) -> Flags:
    """Tell which series are forecast."""
    bounded: Flags = np.logical_and.reduce(np.isfinite(mean), axis=1)
    return bounded


def _check_shapes(mean: Floats, residuals: Floats, tree: Tree) -> None:
    if not len(mean) == len(residuals) == len(tree.series):
        raise DataError(
            f"Means of {len(mean)} and errors of {len(residuals)} series do not fit a tree of "
            f"{len(tree.series)}. Expected one row for each of its series. Give them in its order."
        )


def coherent_factors(mean: Floats, spread: Floats, groups: Sequence[Ints]) -> Floats:
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
