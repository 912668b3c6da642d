"""The validation window: the last months, forecast by a model that was not trained on them.

Its errors set the weights of the candidates and the bands.
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
    """Weights and bands from the validation window."""

    weights: Floats
    """Groups x (near, far) x candidates; each adds up to one."""
    bands: Bands

    def middle(self, candidates: Floats, level: Floats) -> Floats:
        """Return the weighted middle of series x months.

        Args:
            candidates: Series x months x candidates, distances from the base in spreads.
            level: Of each series, in spreads.
        """
        group = self.bands.group_of(level)
        far = is_far(np.arange(1, candidates.shape[1] + 1))
        middle: Floats = (candidates * self.weights[group][:, far]).sum(axis=2)
        return middle


def validation_start(last: int, horizon: int, spec: EngineSpec) -> int:
    """Return the column of the first origin of the validation window."""
    return last - spec.validation_length(horizon)


def before_validation(known: PanelTrainingSet, start: int) -> NDArray[np.bool_]:
    """Tell which training rows were known when the validation window began."""
    return known.origin + known.horizon <= start


def validate(
    quantile_model: QuantileModel | None,
    known: PanelTrainingSet,
    *,
    horizon: int,
    last: int,
    spec: EngineSpec,
) -> ValidationResult:
    """Return weights and bands from the months before the column ``last``.

    Args:
        quantile_model: Fitted to the cells of ``before_validation``.
        known: All training rows.
        horizon: Months to forecast.
        last: Column of the last month known.
        spec: Choices of the engine.
    """
    edges = edges_of(known.level)
    window = known.part(known.origin >= validation_start(last, horizon, spec))
    if quantile_model is None or not len(window):
        empty = CalibrationCells(*(np.empty(0, dtype) for dtype in (float, int, int, int)))
        return ValidationResult(
            _equal(), bands_of(empty, edges, horizon=horizon, last=last, spec=spec)
        )
    prediction = quantile_model.predict(window.features)
    group = groups_of(window.level, edges)
    weights = _weights(prediction, window, group, spec)
    middle = (prediction.candidates * weights[group, is_far(window.horizon)]).sum(axis=1)
    checked = CalibrationCells(
        _scores(prediction, middle, window), window.horizon, group, window.origin
    )
    return ValidationResult(
        weights, bands_of(checked, edges, horizon=horizon, last=last, spec=spec)
    )


def _weights(
    prediction: QuantilePrediction, window: PanelTrainingSet, group: Ints, spec: EngineSpec
) -> Floats:
    """Return weights by the errors of each group; equal ones for a group without enough."""
    floor = -window.base[:, None]
    error = np.abs(np.maximum(prediction.candidates, floor) - window.target[:, None])
    error *= window.weight[:, None]
    weights = _equal()
    for each in range(GROUPS):
        own = group == each
        weights[each] = combination_weights(
            error[own], window.horizon[own], trust=spec.trust, prior=weights[each, 0]
        )
    return weights


def _equal() -> Floats:
    """Return equal weights of all candidates, groups x (near, far) x candidates."""
    return np.full((GROUPS, 2, len(CANDIDATES)), 1.0 / len(CANDIDATES))


def _scores(prediction: QuantilePrediction, middle: Floats, window: PanelTrainingSet) -> Floats:
    """Return how far outcomes were from the middle, in units of the head on that side."""
    down, up = sides(middle, prediction.low, prediction.high)
    gap = window.target - np.maximum(middle, -window.base)
    return gap / np.where(gap < 0, down, up)
