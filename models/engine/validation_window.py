"""The trial: the last months replayed by a learner that did not see them.

Its errors weigh the candidates against each other and set the bands.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.engine.bands import (
    GROUPS,
    Bands,
    CalibrationCells,
    bands_of,
    edges_of,
    groups_of,
    sides,
)
from models.engine.quantile_model import CANDIDATES, QuantileModel, QuantilePrediction
from models.engine.spec import EngineSpec
from models.engine.training_set import PanelTrainingSet
from models.learning.combination import combination_weights, is_far

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What the trial taught."""

    weights: Floats
    """Groups x (near, far) x candidates; each adds up to one."""
    bands: Bands

    def middle(self, candidates: Floats, level: Floats) -> Floats:
        """Return the weighed middle of series x months.

        Args:
            candidates: Series x months x candidates, distances from the base in spreads.
            level: Of each series, in spreads.
        """
        group = self.bands.group_of(level)
        far = is_far(np.arange(1, candidates.shape[1] + 1))
        middle: Floats = (candidates * self.weights[group][:, far]).sum(axis=2)
        return middle


def trial_start(last: int, horizon: int, spec: EngineSpec) -> int:
    """Return the column of the first origin of the trial."""
    return last - spec.trial_length(horizon)


def before_trial(known: PanelTrainingSet, start: int) -> NDArray[np.bool_]:
    """Tell which lessons were known when the trial began."""
    return known.origin + known.horizon <= start


def judge(
    learner: QuantileModel | None,
    known: PanelTrainingSet,
    *,
    horizon: int,
    last: int,
    spec: EngineSpec,
) -> ValidationResult:
    """Return weights and bands from the months before the column ``last``.

    Args:
        learner: Fitted to the cells of ``before_trial``.
        known: All lessons.
        horizon: Months to forecast.
        last: Column of the last month known.
        spec: Choices of the engine.
    """
    edges = edges_of(known.level)
    tried = known.part(known.origin >= trial_start(last, horizon, spec))
    if learner is None or not len(tried):
        empty = CalibrationCells(*(np.empty(0, dtype) for dtype in (float, int, int, int)))
        return ValidationResult(
            _equal(), bands_of(empty, edges, horizon=horizon, last=last, spec=spec)
        )
    said = learner.says(tried.features)
    group = groups_of(tried.level, edges)
    weights = _weights(said, tried, group, spec)
    middle = (said.candidates * weights[group, is_far(tried.horizon)]).sum(axis=1)
    checked = CalibrationCells(_scores(said, middle, tried), tried.horizon, group, tried.origin)
    return ValidationResult(
        weights, bands_of(checked, edges, horizon=horizon, last=last, spec=spec)
    )


def _weights(
    said: QuantilePrediction, tried: PanelTrainingSet, group: Ints, spec: EngineSpec
) -> Floats:
    """Return weights by the errors of each group; equal ones for a group without enough."""
    floor = -tried.base[:, None]
    error = np.abs(np.maximum(said.candidates, floor) - tried.target[:, None])
    error *= tried.weight[:, None]
    weights = _equal()
    for each in range(GROUPS):
        own = group == each
        weights[each] = combination_weights(
            error[own], tried.horizon[own], trust=spec.trust, prior=weights[each, 0]
        )
    return weights


def _equal() -> Floats:
    """Return equal weights of all candidates, groups x (near, far) x candidates."""
    return np.full((GROUPS, 2, len(CANDIDATES)), 1.0 / len(CANDIDATES))


def _scores(said: QuantilePrediction, middle: Floats, tried: PanelTrainingSet) -> Floats:
    """Return how far outcomes were from the middle, in units of the head on that side."""
    down, up = sides(middle, said.low, said.high)
    gap = tried.target - np.maximum(middle, -tried.base)
    return gap / np.where(gap < 0, down, up)
