"""LightGBM heads: one booster for each of three quantiles, trained on one binned table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import lightgbm as lgb
from numpy.typing import NDArray

from models.registry.served import HEADS
from store.arrays import Floats

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
        """Return the number of rows."""
        return len(self.target)


def binned(
    rows: TrainingRows, *, names: Sequence[str] | None = None, **choices: object
) -> lgb.Dataset:
    """Return a table that LightGBM bins once, when it is first trained on.

    Args:
        rows: What to learn from.
        names: Of the features.
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
    """Return one booster a head; the same table and parameters give the same bits.

    Args:
        table: By ``binned``.
        parameters: Returns LightGBM's parameters of the head that learns a quantile.
        rounds: Trees a head.
    """
    return {
        name: lgb.train(parameters(level), table, num_boost_round=rounds)
        for name, level in HEAD_LEVELS.items()
    }


def texts_of(heads: Mapping[str, lgb.Booster]) -> dict[str, str]:
    """Return the boosters in LightGBM's text form."""
    return {name: booster.model_to_string() for name, booster in heads.items()}
