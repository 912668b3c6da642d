"""Forecasts made at past origins: their errors, once known, set weights and bands."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from features.build import base_of
from features.origin import Origin
from models.forecasting.intervals import Residuals
from models.forecasting.model_frame import experts_middle, outcome
from models.forecasting.spec import ModelSpec
from models.learning.combination import combination_weights, is_far
from models.registry.served import HeadValues
from models.statistical.experts import BASELINES
from store.vocabulary import MAX_HORIZON

Floats = NDArray[np.float64]

TREES: Final = "lightgbm"
EXPERTS: Final = "experts"
"""Names of the two parts of the model, each alone."""

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

        It is learned from the errors of both that are known at ``now``.
        """
        trees, experts = (self.residuals(name, now) for name in (TREES, EXPERTS))
        error = np.abs(np.stack([trees.distance, experts.distance], axis=1))
        error *= 0.5 ** (trees.age / spec.calibration_half_life_months)[:, None]
        prior = np.array([spec.trees_prior, 1.0 - spec.trees_prior])
        weights = combination_weights(error, trees.horizon, trust=spec.trust, prior=prior)
        return np.asarray(weights[is_far(np.arange(1, MAX_HORIZON + 1)), 0])


def statistical_prediction(model: str, origin: Origin) -> RawPrediction:
    """Return the forecast of the experts or of a baseline at an origin.

    Args:
        model: ``EXPERTS`` or a name of ``BASELINES``.
        origin: What was known.
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
