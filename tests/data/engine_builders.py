"""Small seeded panels for the engine, and parameters that learn from them in a moment."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from features.origin import bare_origin
from models.engine import PanelView
from models.forecasting.panel_forecaster import FittedPanel, PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.boosters import TrainingSet
from models.learning.parameters import PANEL_PRESET, ModelParameters
from store.arrays import Floats, Ints
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

BRIEF: Final = replace(
    PANEL_PRESET,
    pairs=400,
    rows=1_500,
    num_iterations=6,
    num_leaves=6,
    min_data_in_leaf=20,
    threads=1,
)
"""An engine of a few small trees on one thread."""


def make_values(*, series: int = 40, months: int = 60) -> Floats:
    """Build seasonal series of all sizes that wander: series x months, none of them missing."""
    draw = np.random.default_rng(1)
    size = np.exp(draw.normal(3.0, 2.0, (series, 1)))
    turn = draw.integers(0, 12, (series, 1))
    season = 1.0 + 0.3 * np.sin(2.0 * np.pi * (np.arange(months) + turn) / 12.0)
    wander = np.cumsum(draw.normal(0.0, 0.05, (series, months)), axis=1)
    return size * season * np.exp(wander + draw.normal(0.0, 0.15, (series, months)))


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What a model forecasts of the current series of a panel."""

    rows: Ints
    """Which series."""
    tonnes: Floats
    """Series x months x quantiles."""
    mean: Floats
    """Series x months."""


def make_engine(
    values: Floats,
    *,
    last: int | None = None,
    horizon: int = 6,
    parameters: ModelParameters = BRIEF,
) -> FittedPanel:
    """Build the model of a panel at a column, the last one unless given."""
    at = values.shape[1] - 1 if last is None else last
    return PanelForecaster(parameters, ()).fit(make_snapshot(values[:, : at + 1], horizon=horizon))


def make_snapshot(values: Floats, *, horizon: int = 6) -> Snapshot:
    """Build a panel whose series are named by their rows."""
    return Snapshot(bare_origin(values, 0, horizon, tuple(map(str, range(len(values))))))


def said_of(engine: FittedPanel) -> Forecasts:
    """Return the forecast of a model for all current series at once."""
    table = pd.concat([engine.nothing(), *engine.predict()], ignore_index=True)
    months = engine.view.horizon
    return Forecasts(
        table["destination"].to_numpy(dtype=np.int64)[::months],
        table[list(QUANTILE_COLUMNS)].to_numpy(dtype=float).reshape(-1, months, len(QUANTILES)),
        table["mean"].to_numpy(dtype=float).reshape(-1, months),
    )


def said(values: Floats, *, last: int | None = None, horizon: int = 6) -> Forecasts:
    """Return the forecast of the brief engine for a panel."""
    return said_of(make_engine(values, last=last, horizon=horizon))


def make_view(values: Floats, *, horizon: int = 6) -> PanelView:
    """Build the view of a panel that starts in January."""
    return PanelView(values, 0, horizon)


def make_training_set(features: Floats, target: Floats, **changes: Floats) -> TrainingSet:
    """Build cells of literal features and outcomes, all from one origin a month ahead."""
    count = len(target)
    plain = TrainingSet(
        names=tuple(f"x{place}" for place in range(features.shape[1])),
        features=features.astype(np.float32),
        target=target,
        weight=np.ones(count),
        origin=np.full(count, 40),
        horizon=np.ones(count, dtype=np.int64),
        lower_bound=np.full(count, -1e9),
        base_forecasts={},
    )
    return replace(plain, **changes)
