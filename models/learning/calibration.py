"""What past errors set: combination weights, shrunk to a prior, and conformal bands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from models.registry.served import HEADS
from store.arrays import Floats, Ints

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


def binned(
    rows: TrainingRows, *, names: Sequence[str] | None = None, **choices: object
) -> lgb.Dataset:
    """Return a table that LightGBM bins once, when it is first trained on.

    Args:
        choices: Further parameters of the table, e.g. ``max_bin``.
    """
    return lgb.Dataset(
        rows.features,
        label=rows.target,
        weight=rows.weight,
        feature_name="auto" if names is None else list(names),
        params={**choices, "feature_pre_filter": False, "verbosity": -1},
        free_raw_data=False,
    )


def train_heads(
    table: lgb.Dataset, parameters: Callable[[float], dict[str, object]], *, rounds: int
) -> Heads:
    """Return one booster a head; the same table and parameters give the same bits."""
    return {
        name: lgb.train(parameters(level), table, num_boost_round=rounds)
        for name, level in HEAD_LEVELS.items()
    }


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


_NEAR: Final = 3
"""Months ahead up to which a horizon counts as near."""

SHARPNESS: Final = 4.0
"""Power of the inverse errors that weights are in proportion to, before they are shrunk."""

LEAST_CHECKED: Final = 50
"""Cells below which nothing is measured."""

_LEAST_LOSS: Final = 1e-12
"""Mean error of a candidate below which a smaller one counts no more."""


def is_far(horizon: Floats | Ints) -> Ints:
    """Return 0 for each near horizon and 1 for each far one."""
    return (horizon > _NEAR).astype(np.int64)


def combination_weights(
    error: Floats, horizon: Floats | Ints, *, trust: float, prior: Floats
) -> Floats:
    """Return weights in proportion to a power of the inverse error, shrunk to a prior.

    Args:
        error: Absolute errors, cells x candidates, in any unit, times what each cell counts.
        trust: How far measured weights count against the prior, 0 to 1.
        prior: Weights before any error is known; add up to one.

    Returns:
        (near, far) x candidates; each row adds up to one, and is the prior where fewer than
        ``LEAST_CHECKED`` cells are known.
    """
    far = is_far(horizon)
    return np.stack([_shrunk(error[far == reach], trust, prior) for reach in (0, 1)])


def _shrunk(error: Floats, trust: float, prior: Floats) -> Floats:
    if len(error) < LEAST_CHECKED:
        return prior
    loss = np.maximum(error.mean(axis=0), _LEAST_LOSS)
    sharp = (loss.min() / loss) ** SHARPNESS
    weights: Floats = trust * sharp / sharp.sum() + (1.0 - trust) * prior
    return weights


HORIZON_REACH: Final = 0.5
"""How far, in log horizons, an error counts for other horizons."""

TAILS: Final = stats.t(df=4)
"""Distribution of scores before any is known: heavier tails than a normal's."""


def default_scores(count: int) -> Floats:
    """Return evenly spaced quantiles of ``TAILS``."""
    return np.asarray(TAILS.ppf((np.arange(count) + 0.5) / count))


def horizon_weight(horizon: NDArray[Any], ahead: int) -> Floats:
    """Return how much errors at some horizons count for another, by their log distance."""
    gap = np.log(horizon / ahead)
    return np.asarray(np.exp(-0.5 * (gap / HORIZON_REACH) ** 2))


def with_default(
    scores: Floats, weight: Floats, default: Floats, worth: float
) -> tuple[Floats, Floats]:
    """Return observed and default scores with their weights.

    Args:
        default: Scores that count together as ``worth`` observations.
    """
    prior = np.full(len(default), worth / len(default))
    return np.concatenate([scores, default]), np.concatenate([weight, prior])


def weighted_quantiles(values: Floats, weights: Floats, levels: Floats) -> Floats:
    """Return quantiles of weighted values, interpolated between the middles of their weights."""
    order = np.argsort(values, kind="stable")
    ordered = weights[order]
    place = (np.cumsum(ordered) - 0.5 * ordered) / ordered.sum()
    return np.asarray(np.interp(levels, place, values[order]))
