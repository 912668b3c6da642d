"""Rows to ask the magnets' model about, past origins as rows to learn from, and fitted boosters.

Features are as known then, targets as known now.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from features.build import base_of, features_at, frame_of
from features.origin import Origin
from models.engine.training_set import PanelView
from models.learning.boosters import Boosters, TrainingSet, fitted, too_few
from models.learning.parameters import ModelParameters
from models.quantile_model import BASE_TONNES
from store.arrays import Floats, join
from store.months import month_starts


def rows_of(origin: Origin) -> pd.DataFrame:
    """Return the rows that a model is asked about at an origin.

    Returns:
        One row per series and target, by series: destination, period, the features and what
        ``models.quantile_model`` scales them by. Of a panel without a world total those of series
        with a value in the last year.
    """
    if origin.world is not None:
        return frame_of(origin).assign(**{BASE_TONNES: features_at(origin).base.reshape(-1)})
    view = PanelView.of(origin)
    names = np.array(origin.series, dtype=object)[view.current]
    return view.prediction_rows(view.current)[1].assign(
        destination=np.repeat(names, view.horizon),
        period=np.tile(month_starts(origin.targets).to_numpy(), len(names)),
    )


def training_set(
    past: Sequence[Origin], scored_at: Origin, parameters: ModelParameters
) -> TrainingSet:
    """Return the rows that past origins teach at ``scored_at``.

    Args:
        past: Origins at earlier moments, with the series of ``scored_at``.
    """
    parts = [
        part for origin in past if (part := _rows_of(origin, scored_at, parameters)) is not None
    ]
    if not parts:
        raise too_few(scored_at.cutoff)
    return join(parts)


@lru_cache(maxsize=128)
def outcome(origin: Origin, scored_at: Origin) -> tuple[Floats, Floats]:
    """Return log ratio to the base and log standard error of an origin's targets.

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


def _rows_of(origin: Origin, scored_at: Origin, parameters: ModelParameters) -> TrainingSet | None:
    """Return what one past origin teaches.

    Of an estimated month the target is a draw within its standard error, so that boosters learn how
    far months lie apart, not how smooth estimates are; uncertain cells count less.
    """
    ratio, stderr = outcome(origin, scored_at)
    usable = np.isfinite(ratio) & (stderr <= parameters.stderr_limit)
    if not usable.any():
        return None
    features = features_at(origin)
    noise = np.random.default_rng([parameters.seed, origin.cutoff]).standard_normal(ratio.shape)
    row, column = np.nonzero(usable)
    offset = origin.offset[row]
    return TrainingSet(
        names=features.names,
        features=features.features[usable],
        target=(ratio + stderr * noise)[usable],
        weight=parameters.cell_noise**2 / (parameters.cell_noise**2 + stderr[usable] ** 2),
        origin=np.full(len(row), origin.cutoff),
        horizon=origin.horizons[column],
        lower_bound=np.log(offset / (base_of(origin)[usable] + offset)),
        base_forecasts={},
    )


def boosters_of(data: TrainingSet, origin: Origin, parameters: ModelParameters) -> Boosters:
    """Return the boosters that learn from some cells at an origin."""
    [boosters] = fitted(data, [np.ones(len(data), dtype=bool)], origin.cutoff, parameters)
    if boosters is None:
        raise too_few(origin.cutoff)
    return boosters
