"""The sparse system behind the evidence panel, rows of ``C log(M x) + E s = target``, solved.

``x`` holds the cells (month-major), ``M`` the sums in statements, ``s`` the twelve months of the
world's season, its loss per day of Lunar New Year and the logs of monthly unit values. Private to
``features.panel.estimation``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from features.lunar_new_year import lunar_new_year_days
from features.panel.statements import CellBlock, Statement
from store.arrays import Flags, Floats, Ints
from store.errors import DataError
from store.months import YEAR
from store.vocabulary import AGGREGATES, DESTINATIONS, EU27, WORLD

WIDTH: Final = len(DESTINATIONS)
SEASON_TERMS: Final = 13
START_WORLD_T: Final = 2_300.0
"""World exports a month around 2016 (tonnes). Source: data/published_figures.csv."""

FIRM: Final = 0.4
"""Factor on the scales of the shares in the rough start."""

GAUSSIAN: Final = 1e9
"""Degrees of freedom that make a Student-t row a Gaussian one."""


@dataclass(frozen=True, slots=True)
class PanelPrior:
    """Prior of months that no figure fixes (standard deviations in log units).

    Source: benchmarks/prior.md, where each value was chosen by leaving out every published month
    in turn.
    """

    world_step: float = 0.06
    share_step: float = 0.22
    """Of a share around its expectation from the month before and the month a year before."""
    share_month: float = 0.6
    """Weight of the month before in that expectation; the month a year before has the rest."""
    step_tail: float = 4.0
    """Degrees of freedom of the steps: low enough to follow a collapse."""
    figure_tail: float = 3.0
    """Degrees of freedom of the figures: low enough to drop one that contradicts the rest."""
    season: float = 0.15
    holiday_per_day: float = 0.03
    start_world_t: float = START_WORLD_T
    start_world: float = 1.0
    start_share: float = 1.5
    rest_size: float = 3.0
    """Share of the rest of the world, some 190 countries, as a multiple of a destination's, so that
    it differs from one whose months no figure fixes either."""
    unit_value_step: float = 0.035
    """Of the unit value of HS6 850511 from month to month. Source: docs/data/hs6_values.md."""
    start_unit_value: float = 0.3
    unit_value_ratio: float = 0.3
    """Of a destination's unit value to the world's. Source: docs/data/hs6_values.md."""


PRIOR: Final = PanelPrior()


@dataclass(slots=True)
class _Rows:
    contrast: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    season: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    parts: list[list[NDArray[Any]]] = field(default_factory=list)
    count: int = 0

    def add(
        self,
        sums: Ints,
        signs: Sequence[float],
        *,
        scale: float | Floats,
        tail: float | Floats,
        firm: float = 1.0,
        target: float | Floats = 0.0,
        is_bound: bool | Flags = False,
    ) -> Ints:
        """Append a row per line of ``sums`` (an index of -1 is skipped); return the row numbers."""
        size = len(sums)
        rows = np.arange(self.count, self.count + size)
        self.count += size
        at = np.broadcast_to(rows[:, None], sums.shape)
        values = np.broadcast_to(np.asarray(signs, dtype=float), sums.shape)
        used = sums >= 0
        self.contrast.append((at[used], sums[used], values[used]))
        columns = (target, scale, np.multiply(scale, firm), tail, is_bound)
        self.parts.append([np.broadcast_to(column, size) for column in columns])
        return rows


@dataclass(frozen=True, slots=True)
class LinearSystem:
    """All rows of one panel."""

    sums: sparse.csr_array
    """M: one line per sum of cells; the cells themselves, the worlds and the EU27s come first."""
    contrast: sparse.csr_array
    season: sparse.csr_array
    target: Floats
    scale: Floats
    firm_scale: Floats
    """Scales of the rough start, with firmer shares."""
    tail: Floats
    is_bound: Flags
    months: int
    statements: int
    """The first rows are the statements, in their order."""

    @property
    def cells(self) -> int:
        return self.months * WIDTH


def build_system(
    statements: Sequence[Statement], *, first: int, last: int, prior: PanelPrior
) -> LinearSystem:
    """Rows of the statements and of the prior for the months ``first`` to ``last``."""
    months = last - first + 1
    blocks = _CellBlocks(first, months)
    rows = _Rows()
    _add_statements(rows, blocks, statements, prior)
    _add_world(rows, blocks, first, prior)
    _add_shares(rows, blocks, prior)
    terms = SEASON_TERMS + _add_unit_values(rows, statements, prior)
    target, scale, firm_scale, tail, is_bound = (
        np.concatenate([part[i] for part in rows.parts]) for i in range(5)
    )
    matrix = blocks.matrix()
    return LinearSystem(
        sums=matrix,
        contrast=_sparse(rows.contrast, (rows.count, matrix.shape[0])),
        season=_sparse(rows.season, (rows.count, terms)),
        target=target,
        scale=scale,
        firm_scale=firm_scale,
        tail=tail,
        is_bound=is_bound.astype(bool),
        months=months,
        statements=len(statements),
    )


class _CellBlocks:
    """Numbers the sums of cells used by rows."""

    def __init__(self, first: int, months: int) -> None:
        self.first = first
        self.months = months
        self.cell = np.arange(months * WIDTH).reshape(months, WIDTH)
        self.world = months * WIDTH + np.arange(months)
        self.eu27 = self.world + months
        self._position = {name: i for i, name in enumerate(DESTINATIONS)}
        self._known: dict[CellBlock, int] = {}
        sums = ((AGGREGATES[WORLD], self.world), (AGGREGATES[EU27], self.eu27))
        for t in range(months):
            for i, name in enumerate(DESTINATIONS):
                self._known[CellBlock((name,), first + t, first + t)] = int(self.cell[t, i])
            for members, numbers in sums:
                self._known[CellBlock(members, first + t, first + t)] = int(numbers[t])

    def number(self, cells: CellBlock | None) -> int:
        """Number of a block, assigned at first use; -1 for None."""
        return -1 if cells is None else self._known.setdefault(cells, len(self._known))

    def matrix(self) -> sparse.csr_array:
        """One where a cell is in a sum, sums x cells."""
        rows: list[int] = []
        columns: list[int] = []
        for cells, number in self._known.items():
            inside = [self._position[name] for name in cells.destinations]
            span = range(cells.start - self.first, cells.end - self.first + 1)
            columns += [int(self.cell[t, i]) for t in span for i in inside]
            rows += [number] * (len(span) * len(inside))
        shape = (len(self._known), self.months * WIDTH)
        return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)


def _sparse(parts: list[tuple[Ints, Ints, Floats]], shape: tuple[int, int]) -> sparse.csr_array:
    row, column, value = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return sparse.csr_array((value, (row, column)), shape=shape)


def _add_statements(
    rows: _Rows, blocks: _CellBlocks, statements: Sequence[Statement], prior: PanelPrior
) -> None:
    pairs = [(blocks.number(s.above), blocks.number(s.below)) for s in statements]
    rows.add(
        np.array(pairs, dtype=np.int64).reshape(-1, 2),
        (1.0, -1.0),
        target=np.array([s.target for s in statements]),
        scale=np.array([s.scale for s in statements]),
        tail=np.where([s.is_value for s in statements], GAUSSIAN, prior.figure_tail),
        is_bound=np.array([s.is_bound for s in statements], dtype=bool),
    )


def _add_world(rows: _Rows, blocks: _CellBlocks, first: int, prior: PanelPrior) -> None:
    """Add a random walk of the world around its season and Lunar New Year."""
    world = blocks.world
    numbers = first + np.arange(blocks.months)
    season, holiday = numbers % 12, lunar_new_year_days(numbers)
    steps = rows.add(
        np.column_stack([world[1:], world[:-1]]),
        (1.0, -1.0),
        scale=prior.world_step,
        tail=prior.step_tail,
        firm=FIRM,
    )
    ones = np.ones(len(steps))
    rows.season += [
        (steps, season[1:], -ones),
        (steps, season[:-1], ones),
        (steps, np.full(len(steps), 12), -np.diff(holiday)),
    ]
    spread = np.array([prior.season] * 12 + [prior.holiday_per_day])
    nothing = np.full((SEASON_TERMS, 1), -1)
    terms = rows.add(nothing, (0.0,), scale=spread, tail=GAUSSIAN)
    rows.season.append((terms, np.arange(SEASON_TERMS), np.ones(SEASON_TERMS)))
    start = float(np.log(prior.start_world_t))
    rows.add(world[:1, None], (1.0,), target=start, scale=prior.start_world, tail=GAUSSIAN)


def _add_shares(rows: _Rows, blocks: _CellBlocks, prior: PanelPrior) -> None:
    """Add one row for each share and month, given earlier months; in the first year the last.

    A row for each earlier month instead would make a month without figures inform those before it.
    """
    cell, world = blocks.cell, np.broadcast_to(blocks.world[:, None], blocks.cell.shape)
    year = min(YEAR, blocks.months)
    add = partial(rows.add, scale=prior.share_step, tail=prior.step_tail, firm=FIRM)
    first = np.stack([cell[1:year], world[1:year], cell[: year - 1], world[: year - 1]], axis=-1)
    add(first.reshape(-1, 4), (1.0, -1.0, -1.0, 1.0))
    lags = (slice(YEAR, None), slice(YEAR - 1, -1), slice(0, -YEAR))
    later = np.stack([table[lag] for lag in lags for table in (cell, world)], axis=-1)
    month = prior.share_month
    add(later.reshape(-1, 6), (1.0, -1.0, -month, month, month - 1.0, 1.0 - month))
    start = np.column_stack([cell[0], world[0]])
    size = np.array([prior.rest_size if name == "ROW" else 1.0 for name in DESTINATIONS])
    share = -np.log(size.sum() / size)
    rows.add(start, (1.0, -1.0), target=share, scale=prior.start_share, tail=GAUSSIAN)


def _add_unit_values(rows: _Rows, statements: Sequence[Statement], prior: PanelPrior) -> int:
    """Add the logs of the unit values behind values; return the number of these terms.

    The world's is a random walk by month. Its steps are Gaussian: with longer tails a fall of trade
    is taken for a lasting step of the unit value. A destination's ratio to it is one constant.
    """
    values = [(at, s.above, s.below) for at, s in enumerate(statements) if s.is_value and s.above]
    months = np.array([(at, world.start) for at, world, below in values if below is None])
    shares = [(at, cells.destinations) for at, cells, below in values if below is not None]
    names = sorted({name for _, name in shares})
    count = int(np.ptp(months[:, 1])) + 1 if len(months) else 0
    scale = np.full(count + len(names), prior.unit_value_ratio)
    scale[:count] = prior.unit_value_step
    scale[: min(count, 1)] = prior.start_unit_value
    places = [(int(at), month - int(months[:, 1].min())) for at, month in months]
    places += [(at, count + names.index(name)) for at, name in shares]
    terms = np.arange(len(scale))
    steps = rows.add(np.full((len(terms), 1), -1), (0.0,), scale=scale, tail=GAUSSIAN)
    at, place = np.array(places, dtype=np.int64).reshape(-1, 2).T
    rows.season += [
        (at, SEASON_TERMS + place, np.ones(len(at))),
        (steps, SEASON_TERMS + terms, np.ones(len(terms))),
        (steps[1:count], SEASON_TERMS + terms[: max(count - 1, 0)], -np.ones(max(count - 1, 0))),
    ]
    return len(scale)


START_STEPS: Final = 8
GAUSSIAN_STEPS: Final = 3
"""Steps of the start with Gaussian weights, so that a bad start drops no figure."""
WEIGHTED_STEPS: Final = 12
"""Steps with weights as curvature, which are robust; true curvature then converges fast."""
LEAST_CURVATURE: Final = 0.1
"""Floor of a tail's curvature, as a share of its weight."""
MAX_STEPS: Final = 100
HALVINGS: Final = 10
FALL, RISE = -0.7, 1.5
"""Limits of one step of a cell, as a share of it."""
_TOLERANCE: Final = 1e-3
"""Largest last step in log units: a tenth of a percent of a cell."""
_LEAST_GAIN: Final = 2e-4
"""Least gain of log likelihood worth another step. Less comes from what no figure tells, such as
the month in which a share jumped years ago."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The solution of a system."""

    log_cells: Floats
    covariance: Floats
    """Of the log cells, the season terms and the logs of unit values."""
    z: Floats
    """Residual of each row in scales; zero for a satisfied bound."""
    weight: Floats
    """Student-t weight of each row: about one if it fits, near zero if it contradicts others."""


def solve(system: LinearSystem) -> Solution:
    """Maximum-likelihood cells; a row of infinite scale has no effect.

    Raises:
        DataError: The steps do not converge.
    """
    state = _rough_table(system)
    loss = _loss(system, state)
    for step in range(MAX_STEPS):
        jacobian, residual = _linearise(system, state)
        z = _misfit(system, residual / system.scale)
        weight = _weights(z, system.tail)
        active = ~(system.is_bound & (z == 0)) / system.scale**2
        precision = active * weight
        curvature = precision if step < WEIGHTED_STEPS else active * _curvature(z, system.tail)
        step_vector = _newton_step(jacobian, precision, residual, curvature)
        next_state, next_loss = _damped(system, state, loss, step_vector)
        is_settled = np.abs(next_state - state).max() < _TOLERANCE
        is_converged = is_settled or 0.0 <= loss - next_loss < _LEAST_GAIN
        state, loss = next_state, next_loss
        if is_converged:
            certain = np.where(system.is_bound, 0.0, precision)
            covariance = _inverse(_normal_matrix(jacobian, certain))
            return Solution(state[: system.cells], covariance, z, weight)
    raise DataError(
        f"The evidence panel did not converge in {MAX_STEPS} steps ({system.statements} figures, "
        f"{system.months} months). Expected the figures to agree on one table. Look for figures "
        "far apart for one month, e.g. with `magnetcast data panel --as-of` an earlier date."
    )


def _rough_table(system: LinearSystem) -> Floats:
    """Starting state, fitted with tight shares, which identifies most outliers."""
    even = float(np.log(START_WORLD_T / WIDTH))
    state = np.concatenate([np.full(system.cells, even), np.zeros(system.season.shape[1])])
    for step in range(START_STEPS):
        jacobian, residual = _linearise(system, state)
        z = _misfit(system, residual / system.firm_scale)
        weight = np.ones_like(z) if step < GAUSSIAN_STEPS else _weights(z, system.tail)
        # The world's walk keeps full weight: one destination's fall must not become everyone's.
        weight[system.statements : system.statements + system.months - 1] = 1.0
        precision = weight * ~(system.is_bound & (z == 0)) / system.firm_scale**2
        step_vector = _newton_step(jacobian, precision, residual, precision)
        state += np.clip(step_vector, -RISE, RISE)
    return state


def _weights(z: Floats, tail: Floats) -> Floats:
    return (tail + 1) / (tail + z * z)


def _curvature(z: Floats, tail: Floats) -> Floats:
    """Second derivative of each tail, with a positive floor."""
    weight = _weights(z, tail)
    return np.maximum(weight * (tail - z * z) / (tail + z * z), LEAST_CURVATURE * weight)


def _misfit(system: LinearSystem, z: Floats) -> Floats:
    return np.where(system.is_bound & (z <= 0), 0.0, z)


def _loss(system: LinearSystem, state: Floats) -> float:
    """Negative log likelihood of all rows up to a constant."""
    z = _misfit(system, _residual(system, state)[0] / system.scale)
    return float(np.sum(0.5 * (system.tail + 1) * np.log1p(z * z / system.tail)))


def _damped(
    system: LinearSystem, state: Floats, before: float, step_vector: Floats
) -> tuple[Floats, float]:
    """State after a step, halved until its loss is below the one ``before``, and that loss.

    Cells change in tonnes, not in logs, so that satisfied sums stay satisfied.
    """
    for halving in range(HALVINGS):
        step = step_vector / 2**halving
        cells = np.log1p(np.clip(step[: system.cells], FALL, RISE))
        next_state = state + np.concatenate([cells, step[system.cells :]])
        loss = _loss(system, next_state)
        if loss <= before:
            break
    return next_state, loss


def _residual(system: LinearSystem, state: Floats) -> tuple[Floats, Floats, Floats]:
    """Residual of each row, the tonnes of the cells and those of the sums."""
    cells, season = state[: system.cells], state[system.cells :]
    tonnes = np.exp(cells)
    totals = system.sums @ tonnes
    value = system.contrast @ np.log(totals) + system.season @ season
    return system.target - value, tonnes, totals


def _linearise(system: LinearSystem, state: Floats) -> tuple[sparse.csr_array, Floats]:
    """Jacobian of the rows and their residuals."""
    residual, tonnes, totals = _residual(system, state)
    share = sparse.diags_array(1.0 / totals) @ system.sums @ sparse.diags_array(tonnes)
    jacobian = sparse.hstack([system.contrast @ share, system.season], format="csr")
    return jacobian, residual


def _normal_matrix(jacobian: sparse.csr_array, precision: Floats) -> Floats:
    weighted = sparse.diags_array(precision) @ jacobian
    return np.asarray((jacobian.T @ weighted).toarray())


def _newton_step(
    jacobian: sparse.csr_array, precision: Floats, residual: Floats, curvature: Floats
) -> Floats:
    """Newton step of the state; ``curvature`` is the second derivative of each row's loss."""
    normal = _normal_matrix(jacobian, curvature)
    factor = linalg.cho_factor(normal, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(linalg.cho_solve(factor, jacobian.T @ (precision * residual)))


def _inverse(normal: Floats) -> Floats:
    factor = linalg.cho_factor(normal, lower=True, check_finite=False)
    return np.asarray(linalg.cho_solve(factor, np.eye(len(normal))))
