"""Training rows, and the LightGBM quantile heads that learn from them: for magnets and panels."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.build import ALL_FEATURES
from models.learning.parameters import ModelParameters
from models.quantile_model import HEADS
from store.arrays import Flags, Floats, Ints
from store.errors import DataError
from store.months import month_label

HEAD_LEVELS: Final = dict(zip(HEADS, (0.1, 0.5, 0.9), strict=True))
"""The quantile that each head learns."""

Heads = dict[str, lgb.Booster]
"""By name of ``HEAD_LEVELS``."""

LEAST_CELLS: Final = 200
"""Training rows below which no model is fitted."""

FURTHEST_OUTCOME: Final = 20.0
"""Units beyond which an outcome is no further to the trees: the growth of a series that explodes
would else fill whole leaves, and other series fall into them."""

_MONOTONE: Final = {feature.name: feature.monotone for feature in ALL_FEATURES}


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Cells (series, past origin, month ahead) whose outcome is known now; arrays are by cell."""

    names: tuple[str, ...]
    """Of the features."""
    features: NDArray[Any]
    """Cells x features."""
    target: Floats
    """Distance of the outcome from the base of the forecast, in the unit of the model: usual moves
    of the series, or logs."""
    weight: Floats
    """What a cell counts, whatever its age."""
    origin: Ints
    """When: a column of the panel or a month number."""
    horizon: Ints
    least: Floats
    """The distance of an outcome of 0."""
    base_forecasts: dict[str, Floats]
    """Distance of each expert from the base."""

    def __len__(self) -> int:
        return len(self.target)


def fitted(
    known: TrainingSet, parts: Sequence[Flags], last: int, parameters: ModelParameters
) -> list[Heads | None]:
    """Return the heads of each part of the cells, fitted at once; None where cells are too few.

    What all of them see is binned once.

    Args:
        parts: Which cells; at most ``parameters.rows`` of each part are seen.
        last: Origin of the newest month known.
    """
    chosen = [_chosen(part, parameters) for part in parts]
    seen = np.unique(np.concatenate(chosen))
    weight = known.weight[seen] * 0.5 ** ((last - known.origin[seen]) / parameters.half_life_months)
    names = [name if name in _MONOTONE else f"covariate_{i}" for i, name in enumerate(known.names)]
    whole = lgb.Dataset(
        known.features[seen],
        label=np.clip(known.target[seen], -FURTHEST_OUTCOME, FURTHEST_OUTCOME),
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
    monotone = [_MONOTONE.get(name, 0) for name in known.names]

    def fit(cells: NDArray[np.intp], table: lgb.Dataset | None) -> Heads | None:
        return None if table is None else _heads(table, parameters, len(cells), monotone)

    tables = [_part_of(whole, np.searchsorted(seen, cells)) for cells in chosen]
    with ThreadPoolExecutor(parameters.threads) as pool:
        return list(pool.map(fit, chosen, tables))


def too_few(cutoff: int) -> DataError:
    """Return the error of a cutoff before which too little is known to train on."""
    return DataError(
        f"Too little to train on at cutoff {month_label(cutoff)}. Expected at least "
        f"{LEAST_CELLS} months that earlier origins looked ahead to and that are known by now. "
        "Take a later --as-of or cutoff."
    )


def _chosen(part: Flags, parameters: ModelParameters) -> NDArray[np.intp]:
    cells = np.flatnonzero(part)
    if len(cells) <= parameters.rows:
        return cells
    draw = np.random.default_rng(parameters.seed)
    return np.sort(draw.choice(cells, parameters.rows, replace=False))


def _part_of(whole: lgb.Dataset, cells: NDArray[np.intp]) -> lgb.Dataset | None:
    return None if len(cells) < LEAST_CELLS else whole.subset(cells.tolist()).construct()


def _heads(
    table: lgb.Dataset, parameters: ModelParameters, rows: int, monotone: Sequence[int]
) -> Heads:
    """Return one booster a head; the same table and parameters give the same bits.

    Args:
        rows: Of the table; few of them make smaller leaves.
        monotone: By feature -1 where a higher value may never raise the forecast, 0 elsewhere; left
            out without ``parameters.smoothing``, for LightGBM's own quantile loss takes none.
    """
    shared: dict[str, object] = {
        **parameters.boosting,
        "min_data_in_leaf": min(parameters.min_data_in_leaf, rows // 20),
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
            table,
            num_boost_round=parameters.num_iterations,
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
