"""Small seeded panels for the engine, and a spec that learns from them in a moment."""

from dataclasses import replace
from typing import Final

import numpy as np

from features.origin import bare_origin
from models.engine.forecast import Engine, Quantiles, engine_at
from models.engine.training_set import PanelView
from models.learning.heads import TrainingSet
from models.learning.spec import PANEL_SPEC, Spec
from store.arrays import Floats

BRIEF: Final = replace(
    PANEL_SPEC,
    pairs=400,
    rows=1_500,
    num_iterations=6,
    num_leaves=6,
    min_data_in_leaf=20,
    threads=1,
)
"""An engine of a few small trees on one thread."""


def make_values(*, series: int = 40, months: int = 60, seed: int = 1) -> Floats:
    """Build seasonal series of all sizes that wander: series x months, none of them missing."""
    draw = np.random.default_rng(seed)
    size = np.exp(draw.normal(3.0, 2.0, (series, 1)))
    turn = draw.integers(0, 12, (series, 1))
    season = 1.0 + 0.3 * np.sin(2.0 * np.pi * (np.arange(months) + turn) / 12.0)
    wander = np.cumsum(draw.normal(0.0, 0.05, (series, months)), axis=1)
    return size * season * np.exp(wander + draw.normal(0.0, 0.15, (series, months)))


def make_engine(
    values: Floats, *, last: int | None = None, horizon: int = 6, spec: Spec = BRIEF
) -> Engine:
    """Build the engine of a panel at a column, the last one unless given."""
    at = values.shape[1] - 1 if last is None else last
    return engine_at(bare_origin(values[:, : at + 1], 0, horizon), spec)


def said_of(engine: Engine) -> Quantiles:
    """Return the forecast of an engine for all current series at once."""
    parts = list(engine.forecasts())
    rows, tonnes, mean, middle = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("rows", "tonnes", "mean", "middle")
    )
    names = parts[0].experts
    experts = {name: np.concatenate([part.experts[name] for part in parts]) for name in names}
    return Quantiles(rows, tonnes, mean, middle, experts)


def said(values: Floats, *, last: int | None = None, horizon: int = 6) -> Quantiles:
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
        least=np.full(count, -1e9),
        experts={},
    )
    return replace(plain, **changes)
