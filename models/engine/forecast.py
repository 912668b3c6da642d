"""Forecast a panel from a cutoff: train, validate, and return the quantiles of every series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.engine.quantile_model import (
    CANDIDATES,
    QuantileModel,
    QuantilePrediction,
    Trainer,
)
from models.engine.quantiles import Quantiles, mean_of
from models.engine.series_stats import NAMES, OriginFeatures
from models.engine.spec import EngineSpec
from models.engine.training_set import Extra, PanelTrainingSet, PanelView, training_set
from models.engine.validation_window import (
    ValidationResult,
    before_validation,
    validate,
    validation_start,
)
from models.learning.quantile_heads import Heads

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHUNK: Final = 4096
"""Series forecast at a time; bounds the memory."""

PLAIN_SIDE: Final = 1.8
"""Spreads from the middle to 10 and 90 percent a month ahead with too little to train on."""

PLAIN_GROWTH: Final = 1.0 / 3.0
"""Power of the horizon that this grows with. Both cover 80 percent on young panels of trade."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Ready to forecast the months after one cutoff."""

    view: PanelView
    last: int
    """Column of the cutoff."""
    quantile_model: QuantileModel | None
    validation: ValidationResult
    known: PanelTrainingSet
    """Training rows of past origins."""

    def on(self, view: PanelView) -> "Engine":
        """Return the same trained engine, ready to forecast other series."""
        return replace(self, view=view)

    def chunks(self) -> list[Ints]:
        """Return the series with a value in the last year, some at a time."""
        rows = np.flatnonzero(self.view.stats(self.last).current)
        return [rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK)]

    def forecasts(self) -> Iterator[Quantiles]:
        """Yield the forecasts of all series with a value in the last year, a chunk at a time."""
        for rows in self.chunks():
            yield self.forecast(rows)

    def forecast(self, rows: Ints) -> Quantiles:
        """Return the forecasts of some series."""
        point = self.view.at(self.last, rows)
        prediction = self._predicted(point)
        shape = point.base.shape
        level = _level(point)
        middle = self.validation.middle(
            prediction.candidates.reshape(*shape, len(CANDIDATES)), level
        )
        low, high = prediction.low.reshape(shape), prediction.high.reshape(shape)
        bands = self.validation.bands
        distance = bands.quantiles(middle, low, high, bands.group_of(level))
        return in_tonnes(rows, point, distance)

    def _predicted(self, point: OriginFeatures) -> QuantilePrediction:
        cells = point.features.reshape(-1, point.features.shape[2])
        if self.quantile_model is not None:
            return self.quantile_model.predict(cells)
        side = PLAIN_SIDE * cells[:, NAMES.index("horizon")].astype(np.float64) ** PLAIN_GROWTH
        return QuantilePrediction(np.zeros((len(cells), len(CANDIDATES))), -side, side)


def engine_at(
    values: Floats,
    *,
    last: int,
    horizon: int,
    first_month: int,
    spec: EngineSpec,
    extra: Extra | None = None,
    extra_names: tuple[str, ...] = (),
) -> Engine:
    """Return the engine trained at a cutoff on nothing later than it.

    Args:
        values: Series x months, NaN where missing; columns after ``last`` are not read.
        last: Column of the last month known.
        horizon: Months to forecast.
        first_month: Month of the year, 0 to 11, of the first column.
        spec: Choices of the engine.
        extra: Further features of an origin.
        extra_names: Their names.
    """
    view = PanelView(values[:, : last + 1], first_month, horizon, extra)
    rows = training_series(len(values), spec)
    return train_engine(view if rows is None else view.part(rows), last, spec, extra_names).on(view)


def training_series(count: int, spec: EngineSpec) -> Ints | None:
    """Return which of some series are trained on, ascending; None for all."""
    if count <= spec.most_series:
        return None
    draw = np.random.default_rng(spec.seed)
    return np.sort(draw.choice(count, spec.most_series, replace=False))


def train_engine(
    view: PanelView,
    last: int,
    spec: EngineSpec,
    extra_names: tuple[str, ...] = (),
    trained: Sequence[Heads] | None = None,
) -> Engine:
    """Return the engine trained on some series at a cutoff, ready to forecast those.

    Args:
        view: The series.
        last: Column of the cutoff.
        spec: Choices of the engine.
        extra_names: Of further features.
        trained: Heads trained elsewhere on more series: on what was known before the
            validation window, and on all.
    """
    known = training_set(view, last, spec)
    before = before_validation(known, validation_start(last, view.horizon, spec))
    trainer = Trainer(known, (*NAMES, *extra_names), last, spec)
    before_window, final = trainer.quantile_models(
        [before, np.ones(len(known), dtype=bool)], trained
    )
    validation = validate(before_window, known, horizon=view.horizon, last=last, spec=spec)
    return Engine(view, last, final, validation, known)


def in_tonnes(rows: Ints, point: OriginFeatures, distance: Floats) -> Quantiles:
    """Return the forecasts that distances from the base mean."""
    spread = point.stats.spread[:, None, None]
    values = np.maximum(point.base[:, :, None] + distance * spread, 0.0)
    return Quantiles(rows, values, mean_of(values), point.base, point.experts)


def _level(point: OriginFeatures) -> Floats:
    """Return the level of each series in spreads, 0 where nothing moves."""
    stats = point.stats
    return np.divide(
        stats.level, stats.spread, out=np.zeros_like(stats.level), where=stats.spread > 0
    )
