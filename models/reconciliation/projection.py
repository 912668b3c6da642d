"""Means moved as little as their uncertainty allows until they add up and none is negative.

The uncertainty is the shrunk covariance of the series' errors. Private to
``models.reconciliation.reconcile``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import linalg, sparse
from scipy.optimize import nnls

from store.arrays import Flags, Floats

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
    """Covariance ``diag(own) + common common'`` of the errors of a row of series."""

    own: Floats
    """Variance that a series has for itself, in tonnes squared, above zero."""
    common: Floats
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


NEGATIVE: Final = 1e-9
"""Below minus this share of its uncertainty a leaf counts as negative."""


def coherent_leaves(
    sums: Floats, leaves: Floats, *, structure: sparse.csr_array, covariance: Covariance
) -> Floats:
    """Return the leaves, none negative, of the coherent means that are nearest to the given.

    Args:
        sums: Means of the sums, sums x months, in tonnes, at least 0.
        leaves: Means of the leaves, leaves x months, in tonnes, at least 0.
        structure: Sums x leaves, 1 where a leaf counts in a sum.
        covariance: Of the errors of the sums, then the leaves; distances are in its units.
    """
    unit = np.sqrt(covariance.own + (covariance.common**2).sum(axis=1))
    common = covariance.common / unit[:, None]
    correlation = np.diag(covariance.own / unit**2) + common @ common.T
    root = linalg.cholesky(correlation, lower=True)
    own = unit[len(sums) :]
    whole = np.concatenate([structure.toarray(), np.eye(len(leaves))]) * own / unit[:, None]
    given = np.concatenate([sums, leaves]) / unit[:, None]
    whole, given = (linalg.solve_triangular(root, one, lower=True) for one in (whole, given))
    found = linalg.lstsq(whole, given)[0]
    for month in np.flatnonzero((found < -NEGATIVE).any(axis=0)):
        found[:, month] = nnls(whole, given[:, month], maxiter=10 * len(leaves))[0]
    return np.asarray(np.maximum(found, 0.0) * own[:, None])
