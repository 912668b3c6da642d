"""Means moved as little as their uncertainty allows until they add up and none is negative.

Private to ``models.reconciliation.reconcile``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from models.reconciliation.covariance import Covariance

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

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


def _bounded(system: ProjectionSystem, mean: SumsAndLeaves, *, held: Bools) -> Floats:
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
