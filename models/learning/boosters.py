"""Training rows: cells of past origins whose outcome is known, of magnets and of panels alike."""

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.build import ALL_FEATURES, OriginFeatures
from models.learning.parameters import ModelParameters
from models.quantile_model import BOOSTERS
from store.arrays import Flags, Floats, Ints, join
from store.errors import DataError
from store.months import month_label


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Cells (series, past origin, month ahead) with a known outcome; arrays are by cell."""

    names: tuple[str, ...]
    """Of the features."""
    features: NDArray[Any]
    """Cells x features."""
    target: Floats
    """Distance of the outcome from the base of the forecast, in the model's unit: scales of the
    series, or logs."""
    weight: Floats
    """Sample weight before time decay."""
    origin: Ints
    """Column of the panel or month number."""
    horizon: Ints
    lower_bound: Floats
    """Distance of an outcome of 0."""
    base_forecasts: dict[str, Floats]
    """Distance of each base forecast from the base."""

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True, slots=True)
class OriginTargets:
    """What one origin teaches in the unit of a model; arrays broadcast to series x months.

    Base and unit differ between magnets and panels: docs/adr/0005-panel-engine.md.
    """

    features: OriginFeatures
    origin: int
    horizons: Ints
    target: Floats
    """Series x months; NaN where the outcome is unknown or too uncertain."""
    weight: Floats
    lower_bound: Floats
    base_forecasts: dict[str, Floats]


def training_set(origins: Iterable[OriginTargets]) -> TrainingSet:
    """Training rows of at least one origin; an origin without outcomes adds none."""
    return join([_cells(targets) for targets in origins])


def _cells(targets: OriginTargets) -> TrainingSet:
    is_known = np.isfinite(targets.target)

    def cells(values: NDArray[Any]) -> NDArray[Any]:
        return np.broadcast_to(values, is_known.shape)[is_known]

    return TrainingSet(
        names=targets.features.names,
        features=targets.features.features[is_known],
        target=targets.target[is_known],
        weight=cells(targets.weight),
        origin=np.full(int(is_known.sum()), targets.origin),
        horizon=cells(targets.horizons),
        lower_bound=cells(targets.lower_bound),
        base_forecasts={name: cells(values) for name, values in targets.base_forecasts.items()},
    )


def drawn(places: Ints, count: int, draw: np.random.Generator) -> Ints:
    """Random ``count`` of the places, ascending; all of them if there are no more."""
    return places if len(places) <= count else np.sort(draw.choice(places, count, replace=False))


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


_NODES: Final = ("split_feature", "threshold", "decision_type", "left_child", "right_child")


def parsed_booster(text: str, features: int) -> lgb.Booster:
    """Booster in LightGBM's text form, whose indices LightGBM itself does not check.

    Args:
        features: Number of features that it may split on.

    Raises:
        ValueError: A tree points outside itself or the features, or back to where it came from.
    """
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)  # offsets into the text
    head, *trees = re.split(r"^Tree=", text.partition("end of trees")[0], flags=re.MULTILINE)
    entries = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    if (entries["max_feature_idx"], entries["num_class"]) != (str(features - 1), "1") or not trees:
        raise ValueError(f"its trees are not of {features} features")
    for number, tree in enumerate(trees):
        fields = dict(line.split("=", 1) for line in tree.splitlines()[1:] if "=" in line)
        if not _is_whole(fields, features):
            raise ValueError(f"tree {number} points outside itself or its features")
    return lgb.Booster(model_str=text)


def _is_whole(fields: Mapping[str, str], features: int) -> bool:
    """Whether nodes of a tree lead on to later nodes and leaves, by features that there are."""
    leaves = int(fields["num_leaves"])
    if len(fields["leaf_value"].split()) != leaves or fields["num_cat"] != "0":
        return False
    if leaves == 1:
        return True
    nodes = [np.array(fields[name].split(), dtype=float) for name in _NODES]
    if any(len(values) != leaves - 1 for values in nodes):
        return False
    feature, _, _, *children = nodes
    place, is_feature = np.arange(leaves - 1), (feature >= 0) & (feature < features)
    leads_on = [(child < leaves - 1) & (child >= -leaves) for child in children]
    later = [(child < 0) | (child > place) for child in children]
    return bool(np.all([is_feature, *leads_on, *later]))


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
