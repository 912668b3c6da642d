"""The solver of the evidence panel's system: iteratively reweighted Gauss-Newton steps.

A rough table is found with tight shares first; damped steps from there converge to the best one.
Private to ``features.panel.evidence``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import linalg, sparse

from features.panel.system import SEASON_TERMS, START_WORLD_T, WIDTH, LinearSystem
from store.arrays import Flags, Floats
from store.errors import DataError

START_STEPS: Final = 8
GAUSSIAN_STEPS: Final = 3
"""Steps of the start with Gaussian weights, so that no figure is dropped for a bad start."""
MAX_STEPS: Final = 100
HALVINGS: Final = 10
FALL, RISE = -0.7, 1.5
"""Limits of one step of a cell, as a share of it."""
TOLERANCE: Final = 1e-3
"""Largest last step: a tenth of a percent of a cell that nothing pins down."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The solution of a system."""

    log_cells: Floats
    season: Floats
    covariance: Floats
    """Of the log cells and the season terms."""
    z: Floats
    """Residual of each row in scales; for a bound, zero where it holds."""
    weight: Floats
    """Student-t weight of each row, about one where it fits and near zero where it contradicts the
    others."""


def solve(system: LinearSystem, *, keep: Flags | None = None) -> Solution:
    """Return the cells that fit the rows best.

    Args:
        system: The rows.
        keep: Rows to use, all if None (a benchmark leaves some out).

    Raises:
        DataError: The steps do not converge.
    """
    used = np.ones(len(system.target)) if keep is None else keep.astype(float)
    state = _rough_table(system, used)
    for _ in range(MAX_STEPS):
        slope, residual = _linearise(system, state)
        z = _misfit(system, residual / system.scale)
        weight = _weights(z, system.tail)
        precision = used * weight * ~(system.is_bound & (z == 0)) / system.scale**2
        move = _newton_step(slope, precision, residual)
        moved = _damped(system, state, move, used)
        settled = np.abs(moved - state).max() < TOLERANCE
        state = moved
        if settled:
            certain = np.where(system.is_bound, 0.0, precision)
            covariance = _inverse(_normal(slope, certain))
            cells, season = state[: system.cells], state[system.cells :]
            return Solution(cells, season, covariance, z, weight)
    raise DataError(
        f"The evidence panel did not settle in {MAX_STEPS} steps ({system.statements} figures, "
        f"{system.months} months). Expected the figures to agree on one table. Look for figures "
        "far apart for one month, e.g. with `magnetcast panel --as-of` an earlier date."
    )


def _rough_table(system: LinearSystem, used: Floats) -> Floats:
    """Return a table near the best one, found with tight shares, which identifies most outliers."""
    even = float(np.log(START_WORLD_T / WIDTH))
    state = np.concatenate([np.full(system.cells, even), np.zeros(SEASON_TERMS)])
    for step in range(START_STEPS):
        slope, residual = _linearise(system, state)
        z = _misfit(system, residual / system.firm_scale)
        weight = np.ones_like(z) if step < GAUSSIAN_STEPS else _weights(z, system.tail)
        precision = used * weight * ~(system.is_bound & (z == 0)) / system.firm_scale**2
        state += np.clip(_newton_step(slope, precision, residual), -RISE, RISE)
    return state


def _weights(z: Floats, tail: Floats) -> Floats:
    return (tail + 1) / (tail + z * z)


def _misfit(system: LinearSystem, z: Floats) -> Floats:
    """Return residuals in scales; a bound that holds has none."""
    return np.where(system.is_bound & (z <= 0), 0.0, z)


def _loss(system: LinearSystem, state: Floats, used: Floats) -> float:
    """Return the negative log likelihood of all rows but for a constant."""
    z = _misfit(system, _residual(system, state)[0] / system.scale)
    return float(np.sum(used * 0.5 * (system.tail + 1) * np.log1p(z * z / system.tail)))


def _damped(system: LinearSystem, state: Floats, move: Floats, used: Floats) -> Floats:
    """Return the state after a step, shortened until the loss falls.

    Cells move in tonnes, not in logs, so that sums already met stay met.
    """
    before = _loss(system, state, used)
    moved = state
    for halving in range(HALVINGS):
        step = move / 2**halving
        cells = np.log1p(np.clip(step[: system.cells], FALL, RISE))
        moved = state + np.concatenate([cells, step[system.cells :]])
        if _loss(system, moved, used) <= before:
            break
    return moved


def _residual(system: LinearSystem, state: Floats) -> tuple[Floats, Floats, Floats]:
    """Return each row's distance from its target, the tonnes of the cells and of the sums."""
    cells, season = state[: system.cells], state[system.cells :]
    tonnes = np.exp(cells)
    totals = system.sums @ tonnes
    value = system.contrast @ np.log(totals) + system.season @ season
    return system.target - value, tonnes, totals


def _linearise(system: LinearSystem, state: Floats) -> tuple[sparse.csr_array, Floats]:
    """Return the slope of every row and its distance from its target."""
    residual, tonnes, totals = _residual(system, state)
    share = sparse.diags_array(1.0 / totals) @ system.sums @ sparse.diags_array(tonnes)
    slope = sparse.hstack([system.contrast @ share, system.season], format="csr")
    return slope, residual


def _normal(slope: sparse.csr_array, precision: Floats) -> Floats:
    weighted = sparse.diags_array(precision) @ slope
    return np.asarray((slope.T @ weighted).toarray())


def _newton_step(slope: sparse.csr_array, precision: Floats, residual: Floats) -> Floats:
    factor = linalg.cho_factor(
        _normal(slope, precision), lower=True, overwrite_a=True, check_finite=False
    )
    return np.asarray(linalg.cho_solve(factor, slope.T @ (precision * residual)))


def _inverse(normal: Floats) -> Floats:
    factor = linalg.cho_factor(normal, lower=True, check_finite=False)
    return np.asarray(linalg.cho_solve(factor, np.eye(len(normal))))
