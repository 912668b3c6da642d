"""Rows to ask the magnets' model about, past origins as rows to learn from, and fitted boosters.

Features are as known then, targets as known now.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd

from features.build import features_at, frame_of
from features.families.trade import base_of
from features.origin import Origin
from models.engine import PanelView
from models.learning.boosters import (
    Boosters,
    OriginTargets,
    TrainingSet,
    fitted,
    too_few,
    training_set,
)
from models.learning.parameters import ModelParameters
from models.quantile_model import BASE_TONNES
from store.arrays import Floats
from store.months import month_starts

NAIVE_MONTHS: Final = 6
"""Months to come of which the seasonal naive is half of the base forecast; further ahead the level
has moved on since. Source: docs/adr/0002-direct-global-model.md."""


def rows_of(origin: Origin) -> pd.DataFrame:
    """Rows to predict at an origin.

    Returns:
        One row per series and target, by series: destination, period, the features and what
        ``models.quantile_model`` scales them by. Of a panel without a world total those of series
        with a value in the last year.
    """
    if origin.world is not None:
        return frame_of(origin).assign(**{BASE_TONNES: base_tonnes(origin).reshape(-1)})
    view = PanelView.of(origin)
    names = np.array(origin.series, dtype=object)[view.current]
    return view.prediction_rows(view.current)[1].assign(
        destination=np.repeat(names, view.horizon),
        period=np.tile(month_starts(origin.targets).to_numpy(), len(names)),
    )


def base_tonnes(origin: Origin) -> Floats:
    """Base forecast of the magnets' model, series x targets, in tonnes.

    It is the median of the base forecasts; of the next ``NAIVE_MONTHS`` the geometric mean of that
    and of the seasonal naive, which no trend leads astray.
    """
    features, offset = features_at(origin), origin.offset[:, None]
    naive = features.base_forecasts["seasonal_naive"]
    mean = np.sqrt((features.base + offset) * (np.maximum(naive, 0.0) + offset)) - offset
    ahead = origin.targets - origin.today
    return np.where((ahead > 0) & (ahead <= NAIVE_MONTHS), mean, features.base)


def evidence_training_set(
    past: Sequence[Origin], scored_at: Origin, parameters: ModelParameters
) -> TrainingSet:
    """Training rows of past origins, whose outcomes are those known at ``scored_at``.

    Args:
        past: Origins at earlier moments, with the series of ``scored_at``.
    """
    if not past:
        raise too_few(scored_at.cutoff)
    return training_set(_targets(origin, scored_at, parameters) for origin in past)


@lru_cache(maxsize=128)
def outcome(origin: Origin, scored_at: Origin) -> tuple[Floats, Floats]:
    """Log ratio to the base and log standard error of an origin's targets.

    Both are series x targets as known at ``scored_at``; months that are not known then are NaN.
    """
    column = origin.targets - scored_at.first
    is_known = origin.targets <= scored_at.cutoff
    tonnes = np.full((len(origin.series), len(column)), np.nan)
    stderr = np.full_like(tonnes, np.nan)
    tonnes[:, is_known] = scored_at.tonnes[:, column[is_known]]
    stderr[:, is_known] = scored_at.stderr[:, column[is_known]]
    offset = origin.offset[:, None]
    ratio = np.log((np.maximum(tonnes, 0.0) + offset) / (base_of(origin) + offset))
    return ratio, stderr


def _targets(origin: Origin, scored_at: Origin, parameters: ModelParameters) -> OriginTargets:
    """Outcomes of one past origin, in logs of the ratio to the base.

    Of an estimated month the target is a draw within its standard error, so that boosters learn how
    far months lie apart, not how smooth estimates are; uncertain cells count less.
    """
    ratio, stderr = outcome(origin, scored_at)
    noise = np.random.default_rng([parameters.seed, origin.cutoff]).standard_normal(ratio.shape)
    offset = origin.offset[:, None]
    return OriginTargets(
        features=features_at(origin),
        origin=origin.cutoff,
        horizons=origin.horizons,
        target=np.where(stderr <= parameters.stderr_limit, ratio + stderr * noise, np.nan),
        weight=parameters.cell_noise**2 / (parameters.cell_noise**2 + stderr**2),
        lower_bound=np.log(offset / (base_of(origin) + offset)),
        base_forecasts={},
    )


def fitted_boosters(data: TrainingSet, origin: Origin, parameters: ModelParameters) -> Boosters:
    """Boosters trained on some cells at an origin."""
    [boosters] = fitted(data, [np.ones(len(data), dtype=bool)], origin.cutoff, parameters)
    if boosters is None:
        raise too_few(origin.cutoff)
    return boosters
