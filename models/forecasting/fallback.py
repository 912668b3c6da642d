"""The fallback chain: each destination is forecast by the first model of the chain that can.

The reason why no earlier one could is published beside the numbers. Models are mixed before the
reconciliation, so a mixed forecast is as coherent as any.
Source: docs/adr/0019-champion-and-challenger.md.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.evidence_history import EvidenceHistory
from features.origin import Origin
from models.forecasting.evidence_forecaster import past_moments
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import FALLBACK_MODELS
from models.forecasting.plausibility import absurdities
from models.forecasting.residual_history import (
    ANY_LEVEL,
    RawPrediction,
    ResidualHistory,
    statistical_distances,
)
from models.quantile_model import (
    BASE_TONNES,
    HORIZON,
    LEVEL,
    OFFSET,
    TrainedModel,
    predict_quantiles,
    quantiles_of,
)
from store.arrays import Flags, Floats
from store.errors import DataError, StoreError, first_few
from store.vocabulary import QUANTILE_COLUMNS

NUMBERS: Final = [*QUANTILE_COLUMNS, "mean"]

CHAMPION: Final = "champion"
REPLAY: Final = "replay"
"""Status of the forecast of a model trained as of that day, before the champion existed."""

STALE: Final = "stale"
REMEMBERED: Final = 24
"""Past origins that calibrate the bands where no backtest was made: two years."""

_NEEDED: Final = (HORIZON, LEVEL, OFFSET, BASE_TONNES)
"""Columns without which a model cannot predict; all others may be missing."""

FAULTS: Final = (StoreError, ValueError, KeyError, OSError, lgb.basic.LightGBMError)
"""Errors after which the next model of the chain is tried."""


@dataclass(frozen=True, slots=True)
class FallbackForecast:
    """The forecast of one step of the chain."""

    table: pd.DataFrame
    """Quantiles and mean of every row, before sums add up; NaN where it cannot predict."""
    model: TrainedModel | None
    """None on a step without a trained model."""


@dataclass(frozen=True, slots=True)
class FallbackStep:
    """A model in the fallback chain."""

    status: str
    name: str
    """As the published rows name the model."""
    predict: Callable[[], FallbackForecast] = field(repr=False)
    """Called only if some destination needs it."""


@dataclass(frozen=True, slots=True)
class FallbackResult:
    """The model that forecasts each series."""

    table: pd.DataFrame
    """Quantiles and mean of every row."""
    steps_used: tuple[FallbackStep, ...]
    """By series."""
    reasons: tuple[str, ...]
    """By series: what was wrong with each earlier step; empty where there is none."""
    by_status: Mapping[str, FallbackForecast]
    """By status of the steps that were used."""

    @property
    def model(self) -> TrainedModel | None:
        models = [
            forecast.model for forecast in self.by_status.values() if forecast.model is not None
        ]
        return models[0] if models else None


def run_fallback_chain(
    steps: Sequence[FallbackStep], series: Sequence[str], origin: Origin
) -> FallbackResult:
    """Forecast of each series by the first step that succeeds.

    A step fails a series by raising, or where a number is not finite, quantiles cross or the
    forecast is implausible against the series' history (``models.forecasting.plausibility``).

    Args:
        steps: In the order in which they are tried.
        series: What is forecast, in the order of the rows.
    """
    count = len(origin.targets)
    table = pd.DataFrame(np.nan, index=range(len(series) * count), columns=NUMBERS)
    steps_taken: list[FallbackStep | None] = [None] * len(series)
    wrong: list[list[str]] = [[] for _ in series]
    by_status: dict[str, FallbackForecast] = {}
    for step in steps:
        waiting = [row for row, candidate in enumerate(steps_taken) if candidate is None]
        if not waiting:
            break
        try:
            predicted = step.predict()
        except FAULTS as err:
            for row in waiting:
                wrong[row].append(f"{step.status}: {reason_of(err)}")
            continue
        values = predicted.table[NUMBERS].to_numpy().reshape(len(series), count, -1)
        faults = faults_of(values, origin)
        for row in waiting:
            if faults[row]:
                wrong[row].append(f"{step.status}: {faults[row]}")
                continue
            steps_taken[row] = step
            by_status.setdefault(step.status, predicted)
            table.iloc[row * count : (row + 1) * count] = values[row]
    complete_steps = tuple(candidate for candidate in steps_taken if candidate is not None)
    if len(complete_steps) < len(steps_taken):
        unforecast = [
            f"{name} ({'; '.join(wrong[row])})"
            for row, name in enumerate(series)
            if steps_taken[row] is None
        ]
        raise DataError(
            f"No model of the fallback chain can forecast {first_few(unforecast)}. "
            "Expected at least one known month of each. "
            "Restore what is missing; nothing was published."
        )
    return FallbackResult(
        table, complete_steps, tuple("; ".join(reasons) for reasons in wrong), by_status
    )


def status_of(step: str, *, late: bool) -> str:
    """Status of rows that a step forecasts.

    Args:
        late: Whether the figures are too old for the months that are forecast.
    """
    suffix = "" if step in {CHAMPION, REPLAY} else f", {step}"
    return f"{STALE}{suffix}" if late else step


def reason_of(err: Exception) -> str:
    """Message of an error for readers of a forecast, without its remedy and any path."""
    return re.sub(r"\S*/\S*", "...", str(err).partition(" Expected")[0]) or type(err).__name__


def faults_of(values: Floats, origin: Origin) -> list[str]:
    """Fault of each series' forecast, empty if it has none.

    Args:
        values: Series x targets x quantiles and mean, in tonnes.
    """
    flat = values.reshape(len(values), -1)
    steps = np.diff(np.nan_to_num(values[:, :, :-1]), axis=2).reshape(len(values), -1)
    finite: Flags = np.logical_and.reduce(np.isfinite(flat), axis=1)
    ordered: Flags = np.logical_and.reduce(steps >= 0, axis=1)
    negative: Flags = np.logical_or.reduce(np.nan_to_num(flat) < 0, axis=1)
    kinds = ["no finite forecast from what is known", "its quantiles cross", "it is negative"]
    wrong = np.select([~finite, ~ordered, negative], kinds, "").tolist()
    is_sound = np.array([not fault for fault in wrong])
    absurd = absurdities(np.where(is_sound[:, None, None], values, 0.0), origin)
    return [fault or str(reason or "") for fault, reason in zip(wrong, absurd, strict=True)]


def modelled(model: TrainedModel, rows: pd.DataFrame) -> FallbackForecast:
    """Forecast of a model, NaN in rows that lack a number it needs.

    Args:
        rows: As ``models.forecasting.model_frame.rows_of``.
    """
    predicted = predict_quantiles(model.boosters, model.metadata, answerable(rows))
    predicted.loc[~is_answerable(rows)] = np.nan
    return FallbackForecast(predicted, model)


def is_answerable(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Tell which rows have all that a model cannot do without."""
    needed = rows[list(_NEEDED)].to_numpy(dtype=float)
    return pd.Series(np.isfinite(needed).all(axis=1), index=rows.index)


def answerable(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with ``ANY_LEVEL`` for each missing number, so that the others can be predicted."""
    if is_answerable(rows).all():
        return rows
    filled = {
        name: rows[name].where(np.isfinite(rows[name].astype(float)), ANY_LEVEL) for name in _NEEDED
    }
    return rows.assign(**filled)


def plain(
    name: str, origin: Origin, rows: pd.DataFrame, metadata: Mapping[str, object]
) -> FallbackForecast:
    """Forecast of a simple rule, with bands from its past errors.

    Args:
        name: Of ``FALLBACK_MODELS``.
        rows: As ``models.forecasting.model_frame.rows_of`` of the origin.
        metadata: Holds the bands; as ``models.learning.calibration.metadata_of``.
    """
    boosters = statistical_distances(name, origin, rows)
    return FallbackForecast(quantiles_of(boosters, metadata, answerable(rows)), None)


@lru_cache(maxsize=1)
def remembered(history: EvidenceHistory, as_of: pd.Timestamp) -> ResidualHistory:
    """Forecasts of the steps without a model in the two years before a moment.

    Empty where there is no past to replay.
    """
    try:
        moments = past_moments(as_of)[-REMEMBERED:]
    except DataError:
        return ResidualHistory()
    memory = ResidualHistory()
    for origin in map(history.origin, moments):
        rows = rows_of(origin)
        for name in FALLBACK_MODELS.values():
            memory.add(name, RawPrediction(origin, statistical_distances(name, origin, rows)))
    return memory
