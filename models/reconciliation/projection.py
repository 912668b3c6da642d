"""Means moved as little as their uncertainty allows until they add up and none is negative.

The uncertainty is the shrunk covariance of many series' errors, never formed. Private to
``models.reconciliation.reconcile``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from store.arrays import Flags, Floats, Ints

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


DENSE_SUMS: Final = 2000
"""Up to so many sums their matrix is solved as a dense one."""

SYMMETRIC: Final = {"SymmetricMode": True}

PATIENCE: Final = 3
"""Exchanges of all wrong leaves at once that may bring no gain before only one is exchanged."""

MOST_EXCHANGES: Final = 500
"""After so many the leaves still below zero are cut off there: coherent, if not the nearest."""

RIDGE: Final = 1e-12
"""Keeps sums of the same leaves apart, as a share of their variance."""

ROUNDING: Final = 1e-9
"""Below this share of its uncertainty a leaf counts as zero."""


@dataclass(frozen=True, slots=True)
class SumsAndLeaves:
    """The same matter for the sums and for the leaves."""

    sums: Floats
    leaves: Floats


@dataclass(frozen=True, slots=True)
class ProjectionSystem:
    """Minimise ``(x - y)' W^-1 (x - y)`` over ``x`` whose leaves add up to its sums.

    ``W = diag(own) + common common'``. In terms of the multipliers of the sums this is a system as
    large as there are sums, whatever the number of leaves.
    """

    structure: sparse.csc_array
    """Sums x leaves, 1 where a leaf counts in a sum."""
    own: SumsAndLeaves
    common: SumsAndLeaves
    """Sums or leaves x factors."""

    @property
    def unit(self) -> Floats:
        """Return the standard deviation of each leaf, in tonnes."""
        unit: Floats = np.sqrt(self.own.leaves + (self.common.leaves**2).sum(axis=1))
        return unit

    def nearest(self, mean: SumsAndLeaves, held: Ints) -> tuple[Floats, Floats]:
        """Return the leaves that are nearest to the means, some of them held at zero.

        Args:
            mean: Sums and leaves, each x months.
            held: Leaves to hold at zero.

        Returns:
            Leaves x months, and the pull on each held leaf, above zero where it wants to rise.
        """
        solve = self._without_factors(held)
        common = SumsAndLeaves(
            self.common.sums - self.structure @ self.common.leaves, self.common.leaves[held]
        )
        first = solve(SumsAndLeaves(mean.sums - self.structure @ mean.leaves, mean.leaves[held]))
        answer = solve(common)
        inner = np.eye(common.sums.shape[1]) + _product(common, answer)
        weight = linalg.cho_solve(linalg.cho_factor(inner), _product(common, first))
        sums = first.sums - answer.sums @ weight
        pull = first.leaves - answer.leaves @ weight
        towards = -(self.structure.T @ sums)
        towards[held] += pull
        together = self.common.sums.T @ sums + self.common.leaves.T @ towards
        moved = self.own.leaves[:, None] * towards + self.common.leaves @ together
        found = mean.leaves - moved
        found[held] = 0.0
        return found, pull

    def _without_factors(self, held: Ints) -> Callable[[SumsAndLeaves], SumsAndLeaves]:
        """Return how to solve for the multipliers of sums and held leaves if nothing is common."""
        free = self.own.leaves.copy()
        free[held] = 0.0
        spread = self.structure @ sparse.diags_array(free) @ self.structure.T
        solve_sums = _solver(sparse.csc_array(spread + sparse.diags_array(self.own.sums)))
        part, own = self.structure[:, held], self.own.leaves[held, None]

        def solve(right: SumsAndLeaves) -> SumsAndLeaves:
            sums = solve_sums(right.sums + part @ right.leaves)
            return SumsAndLeaves(sums, right.leaves / own + part.T @ sums)

        return solve


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
    count = len(sums)
    own = SumsAndLeaves(covariance.own[:count], covariance.own[count:])
    common = SumsAndLeaves(covariance.common[:count], covariance.common[count:])
    system = ProjectionSystem(sparse.csc_array(structure), own, common)
    found, _ = system.nearest(SumsAndLeaves(sums, leaves), np.empty(0, dtype=np.int64))
    falls = found < -ROUNDING * system.unit[:, None]
    for month in np.flatnonzero(falls.any(axis=0)):
        one = SumsAndLeaves(sums[:, [month]], leaves[:, [month]])
        found[:, month] = _bounded(system, one, held=falls[:, month])
    return np.maximum(found, 0.0)


def _bounded(system: ProjectionSystem, mean: SumsAndLeaves, *, held: Flags) -> Floats:
    """Return one month's nearest leaves that are not negative.

    Leaves that fall below zero are held there and let go where they want to rise, all at once as
    long as fewer become wrong, else one at a time, which must end (Judice and Pires 1994).
    """
    unit = system.unit
    fewest, patience = len(unit) + 1, PATIENCE
    for _ in range(MOST_EXCHANGES):
        places = np.flatnonzero(held)
        found, pull = system.nearest(mean, places)
        falls = np.flatnonzero(found[:, 0] < -ROUNDING * unit)
        rises = places[pull[:, 0] * unit[places] > ROUNDING]
        wrong = np.union1d(falls, rises)
        if not len(wrong):
            break
        if len(wrong) < fewest:
            fewest, patience = len(wrong), PATIENCE
        elif patience:
            patience -= 1
        else:
            wrong = wrong[-1:]
        held[wrong] = ~held[wrong]
    return found[:, 0]


def _product(left: SumsAndLeaves, right: SumsAndLeaves) -> Floats:
    return left.sums.T @ right.sums + left.leaves.T @ right.leaves


def _solver(matrix: sparse.csc_array) -> Callable[[Floats], Floats]:
    """Return how to solve a positive definite system, each unknown in units of its own scale."""
    scale = 1.0 / np.sqrt(matrix.diagonal())
    unit = sparse.diags_array(scale)
    scaled = unit @ matrix @ unit + sparse.diags_array(np.full(len(scale), RIDGE))
    if len(scale) <= DENSE_SUMS:
        factor = linalg.cho_factor(scaled.toarray())
        return lambda right: scale[:, None] * linalg.cho_solve(factor, scale[:, None] * right)
    lu = splu(sparse.csc_array(scaled), permc_spec="MMD_AT_PLUS_A", options=SYMMETRIC)
    return lambda right: scale[:, None] * lu.solve(scale[:, None] * right)
