"""Forecasts made at past origins: their errors, once known, set weights and conformal intervals.

Only errors that are known by now count. Scores are residuals in units of the heads' own spread,
which grows with a power of the horizon. They are pooled over series, weighted by how near their
horizon and how recent their origin is, and mixed with a default so that few forecasts make no
overconfident band.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from features.build import base_of
from features.origin import Origin
from models.forecasting.forecaster import EXPERTS
from models.forecasting.model_frame import experts_middle, outcome
from models.learning.calibration import (
    combination_weights,
    default_scores,
    horizon_weight,
    is_far,
    weighted_quantiles,
    with_default,
)
from models.learning.spec import ModelSpec
from models.registry.served import CARD_FORMAT, HISTORY_WEIGHT, HeadValues
from models.statistical.experts import BASELINES
from store.arrays import Floats
from store.vocabulary import MAX_HORIZON, QUANTILE_COLUMNS, QUANTILES

DEFAULT_SCORES: Final = default_scores(40) * 0.9
"""Scores before any forecast was checked: heads of 10 and 90 percent put a normal's at 0.78, tails
are heavier."""


@dataclass(frozen=True, slots=True)
class Residuals:
    """Earlier forecasts whose months are known by now, one number a forecast each."""

    horizon: Floats
    age: Floats
    """Months since the forecast was made."""
    distance: Floats
    """Outcome less the middle head, log units."""
    spread: Floats
    """Half the distance of the outer heads, log units."""


def calibrate(residuals: Residuals, spec: ModelSpec) -> tuple[Floats, Floats]:
    """Return what to add to the middle head and the scores of each quantile, by horizon.

    Returns:
        Shift, one number a horizon 1..18; scores, horizons x quantiles, zero at the median.
    """
    shift = np.zeros(MAX_HORIZON)
    scores = np.zeros((MAX_HORIZON, len(QUANTILES)))
    recency = 0.5 ** (residuals.age / spec.calibration_half_life_months)
    horizon = np.maximum(residuals.horizon, 1.0)
    growth = np.arange(1, MAX_HORIZON + 1) ** spec.horizon_growth
    spread = np.maximum(residuals.spread, spec.floor_spread) * horizon**spec.horizon_growth
    for row in range(MAX_HORIZON):
        weight = recency * horizon_weight(horizon, row + 1)
        worth = weight.sum()
        if worth > 0:
            middle = weighted_quantiles(residuals.distance, weight, np.array([0.5]))[0]
            shift[row] = middle * worth / (worth + spec.calibration_prior)
        scores[row] = _score_quantiles((residuals.distance - shift[row]) / spread, weight, spec)
    return shift, scores * growth[:, None]


def card_of(names: tuple[str, ...], residuals: Residuals, spec: ModelSpec) -> dict[str, object]:
    """Return the card that turns head values into quantiles (see ``models.registry.served``)."""
    shift, scores = calibrate(residuals, spec)
    return {
        "format": CARD_FORMAT,
        "features": list(names),
        "floor_spread": spec.floor_spread,
        HISTORY_WEIGHT: spec.history_weight,
        "shift": shift.tolist(),
        "score_quantiles": {
            column: scores[:, i].tolist() for i, column in enumerate(QUANTILE_COLUMNS)
        },
        "quantiles": list(QUANTILES),
        "spec": spec.digest,
        "threads": spec.threads,
    }


def _score_quantiles(scores: Floats, weight: Floats, spec: ModelSpec) -> Floats:
    """Return quantiles of observed and default scores.

    They are moved outward for a finite sample and zero at the median.
    """
    values, weights = with_default(scores, weight, DEFAULT_SCORES, spec.calibration_prior)
    worth = weights.sum() ** 2 / (weights**2).sum()
    levels = np.asarray(QUANTILES)
    outward = np.clip(0.5 + (levels - 0.5) * (1.0 + 1.0 / worth), 0.0, 1.0)
    found = weighted_quantiles(values, weights, outward)
    median: float = found[len(found) // 2]
    return found - median


TREES: Final = "lightgbm"
"""Name of the trees alone; the other part of the model is ``EXPERTS``."""

BASELINE_SPREAD: Final = 0.25
"""Spread that a forecast without heads is scored in, log units; calibration finds the true one."""

SURE_STDERR: Final = 0.03
"""Months known at least this well may set weights and bands."""


@dataclass(frozen=True, slots=True)
class RawPrediction:
    """One model's forecast at one origin, before calibration."""

    origin: Origin
    heads: HeadValues
    """Log ratios of the low, middle and high head, by series, then target."""


@dataclass(slots=True)
class ResidualHistory:
    """The forecasts of each model so far."""

    predictions: dict[str, list[RawPrediction]] = field(default_factory=dict)

    def add(self, model: str, prediction: RawPrediction) -> None:
        """Keep a forecast of a model."""
        self.predictions.setdefault(model, []).append(prediction)

    def residuals(self, model: str, now: Origin) -> Residuals:
        """Return the errors of a model's forecasts that are known at ``now``."""
        parts = [_errors(one, now) for one in self.predictions.get(model, [])]
        if not parts:
            return Residuals(*(np.empty(0) for _ in range(4)))
        return Residuals(*(np.concatenate([part[i] for part in parts]) for i in range(4)))

    def trees_weight(self, now: Origin, spec: ModelSpec) -> Floats:
        """Return the weight of the trees beside the experts, by horizon 1 to 18.

        It is learned from the errors of both that are known at ``now`` and halved every
        ``spec.trees_half_life`` months ahead, where both err alike.
        """
        trees, experts = (self.residuals(name, now) for name in (TREES, EXPERTS))
        error = np.abs(np.stack([trees.distance, experts.distance], axis=1))
        error *= 0.5 ** (trees.age / spec.calibration_half_life_months)[:, None]
        prior = np.array([spec.trees_prior, 1.0 - spec.trees_prior])
        weights = combination_weights(error, trees.horizon, trust=spec.trust, prior=prior)
        ahead = np.arange(1, MAX_HORIZON + 1)
        return np.asarray(weights[is_far(ahead), 0] * 0.5 ** (ahead / spec.trees_half_life))


def statistical_prediction(model: str, origin: Origin) -> RawPrediction:
    """Return the forecast of the experts or of a baseline at an origin.

    Args:
        model: ``EXPERTS`` or a name of ``BASELINES``.
    """
    tonnes = experts_middle(origin) if model == EXPERTS else BASELINES[model](origin)
    offset = origin.offset[:, None]
    level = np.maximum(np.nan_to_num(tonnes), 0.0)
    middle = np.log((level + offset) / (base_of(origin) + offset)).reshape(-1)
    return RawPrediction(origin, (middle - BASELINE_SPREAD, middle, middle + BASELINE_SPREAD))


def _errors(made: RawPrediction, now: Origin) -> tuple[Floats, Floats, Floats, Floats]:
    ratio, stderr = outcome(made.origin, now)
    horizon = np.broadcast_to(made.origin.horizons.astype(float), ratio.shape)
    sure = (np.isfinite(ratio) & (stderr <= SURE_STDERR)).reshape(-1)
    low, middle, high = made.heads
    age = np.full(int(sure.sum()), float(now.cutoff - made.origin.cutoff))
    return (
        horizon.reshape(-1)[sure],
        age,
        (ratio.reshape(-1) - middle)[sure],
        ((high - low) / 2.0)[sure],
    )
