"""The engine with parts of it left out: what stack, trees and measured weights are worth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scoring import FORECAST, LEVELS, rows_of

from features.months import month_label
from models.engine.forecast import Engine
from models.engine.quantile_model import CANDIDATES, QuantileModel, QuantilePrediction, Trainer
from models.engine.series_stats import NAMES
from models.engine.training_set import validation_start
from models.engine.validation_window import before_validation, validate
from models.forecasting.panel_forecaster import PanelForecaster, PanelSnapshot
from models.learning.spec import EngineSpec
from store.vocabulary import QUANTILE_COLUMNS

MIXES = {
    "experts' median, the engine's band": (1.0, 0.0, 0.0),
    "+ stack, equal weights": (1 / 2, 1 / 2, 0.0),
    "+ trees, equal weights": (1 / 3, 1 / 3, 1 / 3),
}
"""Weights of ``CANDIDATES``; with weights measured in the trial it is the product."""

PLACES = [QUANTILE_COLUMNS.index(name) for name in LEVELS]


@dataclass(frozen=True, slots=True)
class Mixed:
    """A quantile_model whose candidates are all one mix of them, so that no weight matters."""

    quantile_model: QuantileModel
    mix: tuple[float, ...]

    def predict(self, features: NDArray[np.float32]) -> QuantilePrediction:
        """Return what is said of cells x features."""
        predicted = self.quantile_model.predict(features)
        middle = predicted.candidates @ np.array(self.mix)
        return replace(predicted, candidates=np.repeat(middle[:, None], len(CANDIDATES), axis=1))


def part_forecasts(task: PanelSnapshot, cutoffs: list[int]) -> pd.DataFrame:
    """Return what the engine forecasts with each of ``MIXES``, its bands made anew for it."""
    rows = [
        part
        for cutoff in cutoffs
        for name, engine in mixed_engines(task, cutoff)
        for part in forecast_rows(task, engine, cutoff, name)
    ]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=FORECAST)


def mixed_engines(task: PanelSnapshot, cutoff: int) -> Iterator[tuple[str, Engine]]:
    """Yield the engine of a cutoff with each mix; none where it learned nothing."""
    spec = EngineSpec()
    fitted = PanelForecaster(spec).fit(task.at(cutoff))
    engine = fitted.engine
    result = {"horizon": task.horizon, "last": engine.last, "spec": spec}
    start = validation_start(engine.last, task.horizon, spec)
    trainer = Trainer(engine.known, NAMES, engine.last, spec)
    (tried,) = trainer.quantile_models([before_validation(engine.known, start)])
    if engine.quantile_model is None or tried is None:
        return
    for name, mix in MIXES.items():
        validation = validate(Mixed(tried, mix), engine.known, **result)
        yield (
            name,
            replace(
                engine, quantile_model=Mixed(engine.quantile_model, mix), validation=validation
            ),
        )


def forecast_rows(
    task: PanelSnapshot, engine: Engine, cutoff: int, model: str
) -> Iterator[pd.DataFrame]:
    periods = [month_label(cutoff + ahead) for ahead in range(1, task.horizon + 1)]
    for found in engine.forecasts():
        quantiles = found.tonnes[:, :, PLACES]
        yield rows_of(
            task.names[found.rows], quantiles, periods, cutoff=month_label(cutoff), model=model
        )
