"""Coherent sums: the means of the parts add up to those of their sums, and none is negative.

``reconcile`` does it for any tree of sums, ``coherent_factors`` for a few series whose spread is
known by month.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import linalg, sparse
from scipy.optimize import nnls
from threadpoolctl import threadpool_limits

from models.reconciliation.tree import Tree
from store.arrays import Flags, Floats, Ints
from store.errors import DataError

FEWEST_ERRORS: Final = 4
"""Errors from which a series' own variance is read."""

LEAST_SPREAD, MOST_SPREAD = 1e-3, 4.0
"""Bounds of a standard deviation in levels of its series: none is known exactly, and old spikes do
not move what is forecast near nothing now."""

LEAST_SHRINKAGE: Final = 0.1
"""Keeps the covariance regular: errors that nearly add up would let a small gap move means far.

Panels of trade ask for 0.1 to 0.9."""

TINY, HUGE = 1e-100, 1e100
"""Bounds of a standard deviation in tonnes: its square and the inverse do not overflow."""


@dataclass(frozen=True, slots=True)
class Covariance:
    """Covariance ``diag(specific) + loadings loadings'`` of the errors of a row of series."""

    specific: Floats
    """Variance of each series beside the factors, in tonnes squared, above zero."""
    loadings: Floats
    """Series x factors, in tonnes."""


def shrunk_covariance(residuals: Floats, level: Floats) -> Covariance:
    """Return the covariance of errors, correlations shrunk towards none.

    How much is estimated (Schaefer and Strimmer 2005) from how unsure the correlations are. Months
    that two series do not share count as uncorrelated, which keeps it a covariance.

    Args:
        residuals: Series x months of one-step errors, in tonnes; NaN where there is none.
        level: Size of each series, in tonnes, at least 0. A series with too few errors has a
            variance in proportion to it, as the others have at their median.
    """
    known = np.isfinite(residuals)
    residuals, known = residuals[:, known.any(axis=0)], known[:, known.any(axis=0)]
    count = known.sum(axis=1)
    error = np.where(known, residuals, 0.0)
    centre = error.sum(axis=1) / np.maximum(count, 1)
    error = np.where(known, error - centre[:, None], 0.0)
    is_known = count >= FEWEST_ERRORS
    error[~is_known] = 0.0
    norm = _norm(error)
    own = norm / np.sqrt(np.maximum(count - 1, 1))
    spread = _filled(own, is_known, level)
    correlated = error / np.maximum(norm, TINY)[:, None]
    shrinkage = _shrinkage(correlated)
    share = np.sqrt(1.0 - shrinkage) * np.minimum(own / spread, 1.0)
    common = correlated * share[:, None]
    rest = 1.0 - (common**2).sum(axis=1)
    return Covariance(rest * spread**2, common * spread[:, None])


def _norm(error: Floats) -> Floats:
    """Return the length of each row, without overflow."""
    largest = np.maximum(np.abs(error).max(axis=1, initial=0.0), TINY)
    norm: Floats = largest * np.sqrt(((error / largest[:, None]) ** 2).sum(axis=1))
    return norm


def _filled(spread: Floats, is_known: Flags, level: Floats) -> Floats:
    """Return standard deviations, those not known from the level, none too small or large."""
    bounded = np.clip(spread, LEAST_SPREAD * level, MOST_SPREAD * level)
    usable = is_known & (spread > 0) & (level > 0)
    ratio = bounded[usable] * (bounded[usable] / level[usable])
    pace = float(np.median(ratio)) if usable.any() else float(level.max(initial=0.0))
    guess = np.sqrt(pace) * np.sqrt(level)
    guess = np.clip(guess, LEAST_SPREAD * level, MOST_SPREAD * level)
    return np.where(is_known, bounded, guess).clip(TINY, HUGE)


def _shrinkage(correlated: Floats) -> float:
    """Return by how much to shrink the correlations of rows of length 1 (or 0).

    The sums over all pairs of series are products of sums over months, so no matrix of series
    by series is made.
    """
    series, months = correlated.shape
    if series <= 1 or months < FEWEST_ERRORS:
        return 1.0
    squares = correlated**2
    fourth = months**2 * ((squares.sum(axis=0) ** 2).sum() - (squares**2).sum())
    diagonal = float((squares.sum(axis=1) ** 2).sum())
    explained = float(((correlated.T @ correlated) ** 2).sum()) - diagonal
    if explained <= np.finfo(float).eps * diagonal:
        return 1.0
    noise = (fourth - months * explained) / (months * (months - 1))
    return float(np.clip(noise / explained, LEAST_SHRINKAGE, 1.0))


_NEGATIVE: Final = 1e-9
"""Below minus this share of its uncertainty a leaf counts as negative."""


def coherent_leaves(
    sums: Floats, leaves: Floats, *, structure: sparse.csr_array, covariance: Covariance
) -> Floats:
    """Return the leaves, none negative, of the coherent means that are nearest to the given.

    Args:
        sums: Means of the sums, sums x months, in tonnes, at least 0.
        leaves: Means of the leaves, leaves x months, in tonnes, at least 0.
        structure: Sums x leaves, 1 where a leaf counts in a sum.
    """
    unit = np.sqrt(covariance.specific + (covariance.loadings**2).sum(axis=1))
    common = covariance.loadings / unit[:, None]
    correlation = np.diag(covariance.specific / unit**2) + common @ common.T
    root = linalg.cholesky(correlation, lower=True)
    own = unit[len(sums) :]
    whole = np.concatenate([structure.toarray(), np.eye(len(leaves))]) * own / unit[:, None]
    given = np.concatenate([sums, leaves]) / unit[:, None]
    whole, given = (linalg.solve_triangular(root, one, lower=True) for one in (whole, given))
    found = linalg.lstsq(whole, given)[0]
    for month in np.flatnonzero((found < -_NEGATIVE).any(axis=0)):
        found[:, month] = nnls(whole, given[:, month], maxiter=10 * len(leaves))[0]
    return np.asarray(np.maximum(found, 0.0) * own[:, None])


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

    Returns:
        Means and quantiles in the shapes given; see ``coherent_means`` and ``moved_quantiles``.
    """
    found = coherent_means(mean, residuals, tree)
    return found, moved_quantiles(quantiles, mean, found, tree)


def coherent_means(mean: Floats, residuals: Floats, tree: Tree) -> Floats:
    """Return the non-negative means that add up and are nearest to the given (MinT-shrink).

    Distances are in units of the shrunk covariance of the one-step errors, assumed to keep its form
    further ahead. A forecast below zero counts as zero. Series outside the tree stay as they are,
    and so does a sum none of whose leaves is forecast; one that is not forecast itself is added up.

    Beyond ``MOST_LEAVES`` the leaves stay as they are and the sums are added up from them.

    Returns:
        Series x months ahead; sums are added up from their leaves, exact but for rounding.
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
