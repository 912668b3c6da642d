"""Forecasts from past origins, whose errors, once known, set the bands of later ones."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from features.origin import Origin
from features.series import ratio
from features.statistical.base_forecasts import BASELINES
from models import quantile_model
from models.forecasting.model_frame import outcome
from models.forecasting.model_names import BASE_MEDIAN
from models.learning.calibration import PastErrors
from models.quantile_model import Distances
from store.arrays import Floats, join

TREES: Final = "lightgbm"
"""Name of the trees alone; the other part of the model is ``BASE_MEDIAN``."""

BASELINE_SPREAD: Final = 0.25
"""Spread by which errors of a forecast without boosters are scaled, log units."""

PLAIN_SIDE: Final = 1.8
"""The same in spreads: a month ahead it covers 80 percent on young panels of trade."""

SURE_STDERR: Final = 0.03
"""Months known at least this well may set weights and bands."""


ANY_LEVEL: Final = 1.0
"""Stands for a level that is not known, where a forecast needs none."""


@dataclass(frozen=True, slots=True)
class RawPrediction:
    """One model's forecast at one origin, before calibration."""

    origin: Origin
    boosters: Distances
    """Log ratios, low, median and high, by series, then target."""


@dataclass(slots=True)
class ResidualHistory:
    """The forecasts of each model so far."""

    predictions: dict[str, list[RawPrediction]] = field(default_factory=dict)
    moments: list[pd.Timestamp] = field(default_factory=list)
    """Of the origins that they were compared at."""

    def add(self, model: str, prediction: RawPrediction) -> None:
        """Keep a forecast of a model."""
        self.predictions.setdefault(model, []).append(prediction)

    def residuals(self, model: str, scored_at: Origin) -> PastErrors:
        """Errors of a model's forecasts that are known at ``scored_at``."""
        parts = [_errors(prediction, scored_at) for prediction in self.predictions.get(model, [])]
        return join(parts) if parts else PastErrors.none()


def statistical_distances(model: str, origin: Origin, rows: pd.DataFrame) -> Distances:
    """Distances of the base forecast or a baseline at an origin; NaN for an empty series.

    Args:
        model: ``BASE_MEDIAN`` or a name of ``BASELINES``.
        rows: As ``models.forecasting.model_frame.rows_of`` of the origin.
    """
    members, tonnes = _members(origin, rows), rule_tonnes(model, origin, rows)
    is_known = np.isfinite(origin.tonnes[members]).any(axis=1).repeat(len(origin.targets))
    return plain_distances(np.where(is_known, tonnes, np.nan), rows)


def rule_tonnes(model: str, origin: Origin, rows: pd.DataFrame) -> Floats:
    """Tonnes of each row by the base forecast or a baseline; arguments as there."""
    if model == BASE_MEDIAN:
        return rows[quantile_model.BASE_TONNES].to_numpy(dtype=float)
    baseline = BASELINES[model](origin.tonnes, len(origin.targets))
    return np.maximum(baseline[_members(origin, rows)], 0.0).reshape(-1)


def _members(origin: Origin, rows: pd.DataFrame) -> list[int]:
    """Places of the rows' series at the origin."""
    return [origin.series.index(name) for name in rows["destination"].unique()]


def plain_distances(tonnes: Floats, rows: pd.DataFrame) -> Distances:
    """Distances of a point forecast, with bands of one width.

    Args:
        tonnes: One number a row.
        rows: As ``models.forecasting.model_frame.rows_of``.
    """
    level = rows[quantile_model.LEVEL].fillna(ANY_LEVEL).to_numpy()
    if quantile_model.SPREAD in rows:
        middle, side = ratio(tonnes - level, rows[quantile_model.SPREAD].to_numpy()), PLAIN_SIDE
    else:
        offset = rows[quantile_model.OFFSET].to_numpy()
        middle, side = np.log((tonnes + offset) / (level + offset)), BASELINE_SPREAD
    return middle - side, middle, middle + side


def _errors(prediction: RawPrediction, scored_at: Origin) -> PastErrors:
    ratio, stderr = outcome(prediction.origin, scored_at)
    horizon = np.broadcast_to(prediction.origin.horizons.astype(float), ratio.shape)
    sure = (np.isfinite(ratio) & (stderr <= SURE_STDERR)).reshape(-1)
    low, middle, high = prediction.boosters
    age = np.full(int(sure.sum()), float(scored_at.cutoff - prediction.origin.cutoff))
    return PastErrors(
        horizon=horizon.reshape(-1)[sure],
        age=age,
        distance=(ratio.reshape(-1) - middle)[sure],
        spread=((high - low) / 2.0)[sure],
    )
