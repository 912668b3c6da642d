"""Conformal intervals: how wide a band must be is read from errors of earlier forecasts.

Only errors that are known by now count. Scores are residuals in units of the heads' own spread.
They are pooled over series, weighted by how near their horizon and how recent their origin is, and
mixed with a default so that few forecasts make no overconfident band.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.forecasting.spec import ModelSpec
from models.learning.conformal import (
    default_scores,
    horizon_weight,
    weighted_quantiles,
    with_default,
)
from models.registry.served import CARD_FORMAT
from store.vocabulary import MAX_HORIZON, QUANTILE_COLUMNS, QUANTILES

Floats = NDArray[np.float64]

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
    spread = np.maximum(residuals.spread, spec.floor_spread)
    for row in range(MAX_HORIZON):
        weight = recency * horizon_weight(np.maximum(residuals.horizon, 1.0), row + 1)
        worth = weight.sum()
        if worth > 0:
            middle = weighted_quantiles(residuals.distance, weight, np.array([0.5]))[0]
            shift[row] = middle * worth / (worth + spec.calibration_prior)
        scores[row] = _score_quantiles((residuals.distance - shift[row]) / spread, weight, spec)
    return shift, scores


def card_of(names: tuple[str, ...], residuals: Residuals, spec: ModelSpec) -> dict[str, object]:
    """Return the card that turns head values into quantiles (see ``models.registry.served``)."""
    shift, scores = calibrate(residuals, spec)
    return {
        "format": CARD_FORMAT,
        "features": list(names),
        "floor_spread": spec.floor_spread,
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
