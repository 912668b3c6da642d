"""Conformal bands from the past errors of the boosters.

Errors are pooled over series, weighted by how near their horizon and how recent their forecast is,
and mixed with a default so that few forecasts make no overconfident band.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from models import quantile_model
from models.learning.parameters import OF_PANELS, ModelParameters
from models.quantile_model import BIAS_CORRECTION, ENSEMBLE_WEIGHT, HISTORY_WEIGHT, SIDES, UNIT
from store.arrays import Floats
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

HORIZON_REACH: Final = 0.5
"""How far, in log horizons, an error counts for other horizons."""

HALF_KEPT: Final = 0.3
"""Log ratio of a panel's spreads above and below the median of which half is kept
(docs/adr/0005-panel-engine.md)."""

TAILS: Final = stats.t(df=4)
"""Distribution of scores before any is known: heavier tails than a normal's."""

_DEFAULT: Final = np.abs(TAILS.ppf((np.arange(40) + 0.5) / 40)) / TAILS.ppf(0.9)
"""Sizes of scores before any forecast was scored: those of boosters that are calibrated."""

_LEVELS: Final = np.asarray(QUANTILES)


@dataclass(frozen=True, slots=True)
class PastErrors:
    """Earlier forecasts whose months are known by now, one number a forecast each."""

    horizon: Floats
    age: Floats
    """Months since the forecast was made."""
    distance: Floats
    """Outcome less the median, in the unit of the model."""
    spread: Floats
    """Distance of the outer quantile on the side of the error from the median, in that unit; of
    magnets half the distance of the outer quantiles."""

    @classmethod
    def none(cls) -> "PastErrors":
        """No errors, which give the default's bands."""
        return cls(*(np.empty(0) for _ in range(4)))


def calibrate(
    errors: PastErrors, parameters: ModelParameters, months: int
) -> tuple[Floats, Floats]:
    """Bias correction and scores of the quantiles, by month ahead.

    Scores are in spreads of the boosters and symmetric, because errors of one time share its last
    shock, which tells little about the side of the next. Skewed bands of panels come from the
    boosters' spreads, which differ by side.

    Returns:
        Correction of the median, one number a month; scores, months x ``QUANTILES``, zero at the
        median.
    """
    bias, scores = np.zeros(months), np.zeros((months, len(QUANTILES)))
    recency = 0.5 ** (errors.age / parameters.calibration_half_life_months)
    spread = (
        np.maximum(errors.spread, parameters.floor_spread)
        * errors.horizon**parameters.horizon_growth
    )
    for row in range(months):
        log_distance = np.log(errors.horizon / (row + 1))
        weight = recency * np.exp(-0.5 * (log_distance / HORIZON_REACH) ** 2)
        total_weight = parameters.calibration_prior + weight.sum()
        if parameters.bias_correction and weight.sum() > 0:
            median = weighted_quantiles(errors.distance, weight, np.array([0.5]))[0]
            bias[row] = parameters.bias_correction * median * weight.sum() / total_weight
        sizes = np.concatenate([np.abs(errors.distance - bias[row]) / spread, _DEFAULT])
        prior = np.full(len(_DEFAULT), parameters.calibration_prior / len(_DEFAULT))
        score_sizes = weighted_quantiles(
            sizes, np.concatenate([weight, prior]), np.abs(2.0 * _LEVELS - 1.0)
        )
        scores[row] = np.sign(_LEVELS - 0.5) * score_sizes * (row + 1) ** parameters.horizon_growth
    return bias, scores


def metadata_of(
    names: Sequence[str], errors: PastErrors, parameters: ModelParameters, months: int
) -> dict[str, object]:
    """Metadata of a model, which turn outputs of boosters into quantiles."""
    bias, scores = calibrate(errors, parameters, months)
    is_panel = parameters.model == OF_PANELS
    return {
        "features": list(names),
        "floor_spread": parameters.floor_spread,
        **(
            {
                UNIT: "scales of the series",
                SIDES: HALF_KEPT,
                **quantile_model.CALMER,
                **quantile_model.SKEWNESS,
            }
            if is_panel
            else {HISTORY_WEIGHT: parameters.history_weight}
        ),
        ENSEMBLE_WEIGHT: [parameters.ensemble_weight] * months,
        BIAS_CORRECTION: bias.tolist(),
        "score_quantiles": {
            column: scores[:, i].tolist() for i, column in enumerate(QUANTILE_COLUMNS)
        },
        "quantiles": list(QUANTILES),
        "parameters": parameters.by_name,
        "threads": parameters.threads,
    }


def weighted_quantiles(values: Floats, weights: Floats, levels: Floats) -> Floats:
    """Quantiles of weighted values, interpolated between the middles of their weights.

    Examples:
        >>> values, weights = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 1.0])
        >>> weighted_quantiles(values, weights, np.array([0.5])).tolist()
        [2.0]
    """
    order = np.argsort(values, kind="stable")
    ordered = weights[order]
    place = (np.cumsum(ordered) - 0.5 * ordered) / ordered.sum()
    return np.asarray(np.interp(levels, place, values[order]))
