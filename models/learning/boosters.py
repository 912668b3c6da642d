"""LightGBM quantile models that learn from training rows, of magnets and panels."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.build import ALL_FEATURES
from models.learning.parameters import ModelParameters
from models.learning.training_set import TrainingSet, drawn
from models.quantile_model import BOOSTERS
from store.arrays import Flags, Floats
from store.errors import DataError
from store.months import month_label

BOOSTER_LEVELS: Final = dict(zip(BOOSTERS, (0.1, 0.5, 0.9), strict=True))
"""The quantile that each booster learns."""

Boosters = dict[str, lgb.Booster]
"""By name of ``BOOSTER_LEVELS``."""

LEAST_CELLS: Final = 200
"""Training rows below which no model is fitted."""

FURTHEST_OUTCOME: Final = 20.0
"""Target units at which outcomes are clipped: the growth of a series that explodes would fill whole
leaves, and other series would fall into them."""

_MONOTONE: Final = {feature.name: feature.monotone for feature in ALL_FEATURES}


def fitted(
    rows: TrainingSet, parts: Sequence[Flags], last: int, parameters: ModelParameters
) -> list[Boosters | None]:
    """Boosters of each part of the cells, fitted at once; None where cells are too few.

    The cells of all parts are binned once.

    Args:
        parts: A mask of the cells each; at most ``parameters.rows`` of a part are drawn.
        last: Origin of the newest month known.
    """
    samples = [
        drawn(np.flatnonzero(part), parameters.rows, np.random.default_rng(parameters.seed))
        for part in parts
    ]
    cells = np.unique(np.concatenate(samples))
    weight = rows.weight[cells] * 0.5 ** ((last - rows.origin[cells]) / parameters.half_life_months)
    names = [name if name in _MONOTONE else f"covariate_{i}" for i, name in enumerate(rows.names)]
    dataset = lgb.Dataset(
        rows.features[cells],
        label=np.clip(rows.target[cells], -FURTHEST_OUTCOME, FURTHEST_OUTCOME),
        weight=weight,
        feature_name=names,
        params={
            "max_bin": parameters.max_bin,
            "min_data_in_leaf": parameters.min_data_in_leaf,
            "feature_pre_filter": False,
            "verbosity": -1,
        },
        free_raw_data=False,
    )
    monotone = [_MONOTONE.get(name, 0) for name in rows.names]

    def fit(subset: lgb.Dataset | None, size: int) -> Boosters | None:
        return None if subset is None else _boosters(subset, parameters, size, monotone)

    subsets = [
        dataset.subset(np.searchsorted(cells, sample).tolist()).construct()
        if len(sample) >= LEAST_CELLS
        else None
        for sample in samples
    ]
    with ThreadPoolExecutor(parameters.threads) as pool:
        return list(pool.map(fit, subsets, map(len, samples)))


def too_few(cutoff: int) -> DataError:
    """Error of a cutoff before which too little is known to train on."""
    return DataError(
        f"Too little to train on at cutoff {month_label(cutoff)}. Expected at least "
        f"{LEAST_CELLS} months that earlier origins looked ahead to and that are known by now. "
        "Take a later --as-of or cutoff."
    )


def _boosters(
    dataset: lgb.Dataset, parameters: ModelParameters, size: int, monotone: Sequence[int]
) -> Boosters:
    """Boosters of each quantile; the same dataset and parameters give the same bits.

    Args:
        size: Rows of the dataset; few of them make smaller leaves.
        monotone: By feature -1 where a higher value may never raise the forecast, 0 elsewhere; left
            out without ``parameters.smoothing``, because LightGBM's own quantile loss takes none.
    """
    shared: dict[str, object] = {
        **parameters.boosting,
        "min_data_in_leaf": min(parameters.min_data_in_leaf, size // 20),
        "bagging_freq": 1,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    if parameters.smoothing and any(monotone):
        shared |= {"monotone_constraints": monotone, "monotone_constraints_method": "advanced"}
    return {
        name: lgb.train(
            {**shared, **_objective(level, parameters.smoothing)},
            dataset,
            num_boost_round=parameters.num_iterations,
        )
        for name, level in BOOSTER_LEVELS.items()
    }


def _objective(level: float, width: float) -> dict[str, object]:
    """LightGBM's parameters of the quantile loss, whose corner is rounded off within a width.

    With one its gradient is ``sigmoid((f - y) / width) - level``.
    """
    if not width:
        return {"objective": "quantile", "alpha": level}

    def rounded(predicted: Floats, data: lgb.Dataset) -> tuple[Floats, Floats]:
        distance = (predicted - np.asarray(data.get_label())) / width
        gradient = 0.5 * (1.0 + np.tanh(distance / 2.0)) - level
        weights = data.get_weight()
        weight = 1.0 if weights is None else np.asarray(weights)  # None: all are 1
        return gradient * weight, np.full_like(gradient, 0.25 / width) * weight

    return {"objective": rounded}


def texts_of(boosters: Mapping[str, lgb.Booster]) -> dict[str, str]:
    """Boosters in LightGBM's text form."""
    return {name: booster.model_to_string() for name, booster in boosters.items()}


def importances(boosters: Mapping[str, lgb.Booster]) -> pd.DataFrame:
    """Gain and number of splits of each feature in each booster."""
    parts = [
        pd.DataFrame(
            {
                "booster": name,
                "feature": booster.feature_name(),
                "gain": booster.feature_importance("gain"),
                "splits": booster.feature_importance("split"),
            }
        )
        for name, booster in boosters.items()
    ]
    return pd.concat(parts, ignore_index=True).sort_values(
        ["booster", "gain"], ascending=[True, False], ignore_index=True
    )
