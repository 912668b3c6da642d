"""LightGBM heads: three quantiles of the log ratio, monotone in tariffs."""

import os
from functools import partial
from typing import Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from features.build import ALL_FEATURES
from models.forecasting.model_frame import TrainingSet
from models.forecasting.spec import ModelSpec
from models.learning.quantile_heads import Heads, binned, train_heads

Floats = NDArray[np.float64]

_MONOTONE: Final = {feature.name: feature.monotone for feature in ALL_FEATURES}


def fit_heads(data: TrainingSet, spec: ModelSpec) -> Heads:
    """Return one booster a head; the same data, spec and thread count give the same bits.

    LightGBM's own quantile loss renews its leaves and so cannot keep a monotone constraint. The
    loss here is the quantile loss rounded off within ``spec.smoothing``, with its largest curvature
    as the Hessian: every step then lowers it.

    Args:
        data: Rows to learn from.
        spec: Choices of the model.
    """
    table = binned(data, names=data.names, max_bin=spec.bins, min_data_in_bin=5)
    return train_heads(table, partial(_parameters, data, spec), rounds=spec.rounds)


def _parameters(data: TrainingSet, spec: ModelSpec, level: float) -> dict[str, object]:
    return {
        "objective": _rounded_quantile_loss(level, spec.smoothing),
        "learning_rate": spec.learning_rate,
        "num_leaves": spec.leaves,
        "min_data_in_leaf": spec.least_rows,
        "lambda_l2": spec.l2,
        "feature_fraction": spec.feature_share,
        "max_bin": spec.bins,
        "monotone_constraints": [_MONOTONE.get(name, 0) for name in data.names],
        "monotone_constraints_method": "advanced",
        "seed": spec.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": min(spec.threads, os.cpu_count() or 1),
        "verbosity": -1,
    }


def _rounded_quantile_loss(level: float, width: float) -> "object":
    """Return an objective: gradient ``sigmoid((f - y) / width) - level`` and its largest slope."""
    slope = 0.25 / width

    def objective(predicted: Floats, data: lgb.Dataset) -> tuple[Floats, Floats]:
        distance = (predicted - np.asarray(data.get_label())) / width
        gradient = 0.5 * (1.0 + np.tanh(distance / 2.0)) - level
        given = data.get_weight()
        weight = 1.0 if given is None else np.asarray(given)  # LightGBM drops weights of all ones
        return gradient * weight, np.full_like(gradient, slope) * weight

    return objective
