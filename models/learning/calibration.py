"""LightGBM quantile heads, and the conformal bands that their past errors ask for.

Errors are pooled over series, weighted by how near their horizon and how recent their forecast is,
and mixed with a default so that few forecasts make no overconfident band.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from models.learning.spec import Spec
from models.registry.served import CARD_FORMAT, HEADS, HISTORY_WEIGHT, TREES_WEIGHT
from store.arrays import Floats, Ints
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

HEAD_LEVELS: Final = dict(zip(HEADS, (0.1, 0.5, 0.9), strict=True))
"""The quantile that each head learns."""

Heads = dict[str, lgb.Booster]
"""By name of ``HEAD_LEVELS``."""


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Rows to learn from."""

    features: NDArray[Any]
    """Rows x features."""
    target: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.target)


def binned(rows: TrainingRows, spec: Spec, names: Sequence[str] | None = None) -> lgb.Dataset:
    """Return a table that LightGBM bins once, when it is first trained on."""
    return lgb.Dataset(
        rows.features,
        label=rows.target,
        weight=rows.weight,
        feature_name="auto" if names is None else list(names),
        params={
            "max_bin": spec.max_bin,
            "min_data_in_leaf": spec.min_data_in_leaf,
            "feature_pre_filter": False,
            "verbosity": -1,
        },
        free_raw_data=False,
    )


def fit_heads(table: lgb.Dataset, spec: Spec, *, rows: int, monotone: Sequence[int] = ()) -> Heads:
    """Return one booster a head; the same table and parameters give the same bits.

    Args:
        rows: Of the table; few of them make smaller leaves.
        monotone: By feature -1 where a higher value may never raise the forecast, 0 elsewhere; left
            out without ``spec.smoothing``, for LightGBM's own quantile loss takes none.
    """
    shared: dict[str, object] = {
        **spec.boosting,
        "min_data_in_leaf": min(spec.min_data_in_leaf, rows // 20),
        "bagging_freq": 1,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    if spec.smoothing and any(monotone):
        shared |= {"monotone_constraints": monotone, "monotone_constraints_method": "advanced"}
    return {
        name: lgb.train(
            {**shared, **_objective(level, spec.smoothing)},
            table,
            num_boost_round=spec.num_iterations,
        )
        for name, level in HEAD_LEVELS.items()
    }


def _objective(level: float, width: float) -> dict[str, object]:
    """Return the quantile loss; with a width its corner is rounded off within it.

    Its gradient is then ``sigmoid((f - y) / width) - level``.
    """
    if not width:
        return {"objective": "quantile", "alpha": level}

    def rounded(predicted: Floats, data: lgb.Dataset) -> tuple[Floats, Floats]:
        distance = (predicted - np.asarray(data.get_label())) / width
        gradient = 0.5 * (1.0 + np.tanh(distance / 2.0)) - level
        given = data.get_weight()
        weight = 1.0 if given is None else np.asarray(given)  # LightGBM drops weights of all ones
        return gradient * weight, np.full_like(gradient, 0.25 / width) * weight

    return {"objective": rounded}


def texts_of(heads: Mapping[str, lgb.Booster]) -> dict[str, str]:
    """Return the boosters in LightGBM's text form."""
    return {name: booster.model_to_string() for name, booster in heads.items()}


def importances(heads: Mapping[str, lgb.Booster]) -> pd.DataFrame:
    """Return head, feature, gain and splits: what each feature did for each booster."""
    parts = [
        pd.DataFrame(
            {
                "head": name,
                "feature": booster.feature_name(),
                "gain": booster.feature_importance("gain"),
                "splits": booster.feature_importance("split"),
            }
        )
        for name, booster in heads.items()
    ]
    return pd.concat(parts, ignore_index=True).sort_values(
        ["head", "gain"], ascending=[True, False], ignore_index=True
    )


HORIZON_REACH: Final = 0.5
"""How far, in log horizons, an error counts for other horizons."""

TAILS: Final = stats.t(df=4)
"""Distribution of scores before any is known: heavier tails than a normal's."""

_DEFAULT: Final = np.abs(TAILS.ppf((np.arange(40) + 0.5) / 40)) / TAILS.ppf(0.9)
"""Sizes of scores before any forecast was checked: heads of 10 and 90 percent that are right."""

_LEVELS: Final = np.asarray(QUANTILES)


@dataclass(frozen=True, slots=True)
class PastErrors:
    """Earlier forecasts whose months are known by now, one number a forecast each."""

    horizon: Floats
    age: Floats
    """Months since the forecast was made."""
    distance: Floats
    """Outcome less the middle, in the unit of the heads."""
    spread: Floats
    """Half the distance of the outer heads, in that unit."""

    @classmethod
    def none(cls) -> "PastErrors":
        """Return no errors: the bands are then the default's."""
        return cls(*(np.empty(0) for _ in range(4)))


def calibrate(errors: PastErrors, spec: Spec, months: int) -> tuple[Floats, Floats]:
    """Return what to add to the middle and the scores of each quantile, by month ahead.

    Scores are in spreads of the heads and of one size on either side: errors of one time share its
    last shock, which tells little about the side of the next.

    Returns:
        Shift, one number a month; scores, months x ``QUANTILES``, zero at the median.
    """
    shift, scores = np.zeros(months), np.zeros((months, len(QUANTILES)))
    recency = 0.5 ** (errors.age / spec.calibration_half_life_months)
    spread = np.maximum(errors.spread, spec.floor_spread) * errors.horizon**spec.horizon_growth
    for row in range(months):
        weight = recency * horizon_weight(errors.horizon, row + 1)
        worth = spec.calibration_prior + weight.sum()
        if spec.shift and weight.sum() > 0:
            middle = weighted_quantiles(errors.distance, weight, np.array([0.5]))[0]
            shift[row] = spec.shift * middle * weight.sum() / worth
        sizes = np.concatenate([np.abs(errors.distance - shift[row]) / spread, _DEFAULT])
        prior = np.full(len(_DEFAULT), spec.calibration_prior / len(_DEFAULT))
        found = weighted_quantiles(
            sizes, np.concatenate([weight, prior]), np.abs(2.0 * _LEVELS - 1.0)
        )
        scores[row] = np.sign(_LEVELS - 0.5) * found * (row + 1) ** spec.horizon_growth
    return shift, scores


def card_of(names: Sequence[str], errors: PastErrors, spec: Spec, months: int) -> dict[str, object]:
    """Return the card that turns head values into quantiles (see ``models.registry.served``)."""
    shift, scores = calibrate(errors, spec, months)
    return {
        "format": CARD_FORMAT,
        "features": list(names),
        "floor_spread": spec.floor_spread,
        HISTORY_WEIGHT: spec.history_weight,
        TREES_WEIGHT: trees_weight(np.arange(1, months + 1), spec).tolist(),
        "shift": shift.tolist(),
        "score_quantiles": {
            column: scores[:, i].tolist() for i, column in enumerate(QUANTILE_COLUMNS)
        },
        "quantiles": list(QUANTILES),
        "spec": spec.digest,
        "threads": spec.threads,
    }


def trees_weight(horizon: Ints, spec: Spec) -> Floats:
    """Return what the trees' middle counts some months ahead, 0 to 1; the experts' is the rest."""
    return np.asarray(spec.trees_weight * 0.5 ** (horizon / spec.trees_half_life))


def horizon_weight(horizon: NDArray[Any], ahead: int) -> Floats:
    """Return how much errors at some horizons count for another, by their log distance."""
    gap = np.log(horizon / ahead)
    return np.asarray(np.exp(-0.5 * (gap / HORIZON_REACH) ** 2))


def weighted_quantiles(values: Floats, weights: Floats, levels: Floats) -> Floats:
    """Return quantiles of weighted values, interpolated between the middles of their weights."""
    order = np.argsort(values, kind="stable")
    ordered = weights[order]
    place = (np.cumsum(ordered) - 0.5 * ordered) / ordered.sum()
    return np.asarray(np.interp(levels, place, values[order]))
