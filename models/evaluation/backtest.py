"""Rolling-origin backtest: fitted to past snapshots, scored on months published since.

Every score of magnets, partner tables and panel files comes from it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np
import pandas as pd

from features.controls.controls import control_episodes, controls_at
from features.evidence_history import EvidenceHistory, training_moments
from features.origin import Origin
from features.series import seasonal_scale
from models.evaluation.scores import cell_scores, summarise
from models.executor import IN_TURN, Executor
from models.forecasting.evidence_forecaster import SCORED_FROM, EvidenceForecaster, past_moments
from models.forecasting.model_names import MODEL, forecast_file
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.residual_history import ResidualHistory
from models.forecasting.snapshot import Snapshot, SnapshotForecaster
from models.learning.parameters import ModelParameters
from store.arrays import Floats
from store.months import month_label, month_numbers
from store.vocabulary import PANEL_HORIZON

SCORED_HORIZONS: Final = (1, PANEL_HORIZON)
"""First and last scored month ahead."""


SCORE_COLUMNS: Final = ("model", "scope", "cells", "metric", "value", "horizon_from", "horizon_to")
"""Columns of the scores of a run, where the published model has no version yet."""

NO_SCORES: Final = pd.DataFrame(columns=list(SCORE_COLUMNS))


@dataclass(frozen=True, slots=True)
class Backtest:
    """Forecasts from past origins, their errors and scores."""

    forecasts: pd.DataFrame
    """All models: model, destination, cutoff, period, horizon, quantiles, mean."""
    cells: pd.DataFrame
    """The forecasts of published months with their errors."""
    scores: pd.DataFrame
    """As ``models.evaluation.scores.summarise``."""
    residuals: ResidualHistory = field(default_factory=ResidualHistory, repr=False)
    """Past errors of the magnets' model, which calibrate the next bands."""

    @classmethod
    def none(cls) -> "Backtest":
        """Backtest without scores."""
        return cls(pd.DataFrame(), pd.DataFrame(), NO_SCORES)

    def model_forecasts(self, *, status: str) -> pd.DataFrame:
        """Forecasts of the product's model in the columns of a forecast file."""
        is_own = self.forecasts["model"] == MODEL
        return forecast_file(self.forecasts.loc[is_own], status=status)


Comparison = tuple[pd.DataFrame, pd.DataFrame]
"""Forecasts by all models at one origin, and ``scale_rows`` of its table."""


def rolling_origin_backtest(
    forecaster: SnapshotForecaster,
    past: Sequence[Snapshot],
    truth: pd.DataFrame,
    *,
    label: str,
    executor: Executor = IN_TURN,
) -> Backtest:
    """Backtest of a forecaster.

    Args:
        forecaster: Fitted anew at each origin.
        past: Snapshots of past origins, oldest first.
        truth: destination, period, tonnes to score on.
        executor: Runs the origins; sequential if the forecaster learns from its own past errors.
    """
    return scored(list(executor.map(partial(compared, forecaster), past, label)), truth)


def compared(forecaster: SnapshotForecaster, snapshot: Snapshot) -> Comparison:
    """Forecasts of a snapshot by all models."""
    scale = scale_rows(snapshot.series, snapshot.cutoff, snapshot.tonnes)
    return forecaster.fit(snapshot).compare(), scale


def scored(comparisons: Sequence[Comparison], truth: pd.DataFrame) -> Backtest:
    """Scored backtest of one table; empty without an origin.

    Scores that would divide by zero tonnes are left out.

    Args:
        truth: destination, period, tonnes to score on.
    """
    if not comparisons:
        return Backtest.none()
    forecasts, scale = (
        pd.concat(tables, ignore_index=True) for tables in zip(*comparisons, strict=True)
    )
    scale = scale.drop_duplicates(["destination", "cutoff"])
    cells = cell_scores(forecasts, truth, scale)
    if not len(cells):
        return Backtest(forecasts, cells, NO_SCORES)
    first, last = SCORED_HORIZONS
    scores = summarise(cells, horizons=(first, min(last, int(cells["horizon"].max()))))
    return Backtest(forecasts, cells, scores.loc[np.isfinite(scores["value"])])


def backtest_evidence(
    history: EvidenceHistory,
    as_of: pd.Timestamp,
    *,
    parameters: ModelParameters,
    since: pd.Timestamp | None = None,
    executor: Executor = IN_TURN,
) -> Backtest:
    """Backtest of the evidence panel: one origin a month up to ``as_of``.

    The model is trained at each. Only months with a published level at ``as_of`` are scored.

    Args:
        as_of: Moment whose published levels are the truth (UTC).
        since: First scored origin; ``SCORED_FROM`` if left out, the last origin if it is later.
        executor: Solves panels and trains quantile models. Forecasts are calibrated by the errors
            of earlier ones and run one origin after the other.
    """
    since = SCORED_FROM if since is None else since
    moments = past_moments(as_of, since)
    history.solve(
        training_moments(as_of),
        lambda solved, missing: executor.map(solved, missing, "evidence of past origins"),
    )
    forecaster, first = EvidenceForecaster(parameters), min(since, moments[-1])
    past = forecaster.train_ahead(history, moments, executor)
    comparisons = [compared(forecaster, snapshot) for snapshot in past]
    scored_comparisons = comparisons[sum(moment < first for moment in moments) :]
    snapshot = Snapshot.of_evidence(history, as_of)
    backtest = scored(scored_comparisons, snapshot.published_months)
    cells = backtest.cells
    if len(cells):
        cells = cells.assign(is_forecastable=is_forecastable(cells, snapshot.origin))
    return replace(backtest, cells=cells, residuals=forecaster.residuals)


SHAPED: Final = 3
"""Months, from its first on, in which a control shapes trade most."""


def is_forecastable(cells: pd.DataFrame, origin: Origin) -> "pd.Series[bool]":
    """Whether the control that shaped each cell's month was announced by the day of the forecast.

    Args:
        cells: destination, period and as_of (UTC).
        origin: Knows the acts of all the time since.
    """
    forecastable = pd.Series(data=True, index=cells.index)
    if origin.events is None:
        return forecastable
    announced = dict(zip(origin.events["event_id"], origin.events["announced_on"], strict=True))
    month, controls = month_numbers(cells["period"]), controls_at(origin)
    for row, name in enumerate(origin.series):
        for control in control_episodes(controls, row, origin):
            age = month - control.month
            shaped = cells["destination"].eq(name) & (age >= 0) & (age < SHAPED)
            before = cells["as_of"].dt.tz_localize(None) < announced[control.event_id]
            forecastable &= ~(shaped & before)
    return forecastable


def backtest_panel(
    forecaster: PanelForecaster,
    snapshot: Snapshot,
    cutoffs: Sequence[int],
    *,
    truth: pd.DataFrame | None = None,
    executor: Executor = IN_TURN,
) -> Backtest:
    """Backtest of a panel, fitted up to each cutoff and scored on later months.

    Args:
        truth: destination, period, tonnes to score on; all months if left out.
    """
    return rolling_origin_backtest(
        forecaster,
        [snapshot.at(cutoff) for cutoff in sorted(cutoffs)],
        snapshot.published_months if truth is None else truth,
        label="cutoffs",
        executor=executor,
    )


def scale_rows(series: Iterable[str], cutoff: int, tonnes: Floats) -> pd.DataFrame:
    """Destination, cutoff, scale: the mean absolute difference to the year before."""
    scale = np.nan_to_num(seasonal_scale(tonnes))
    return pd.DataFrame({"destination": series, "cutoff": month_label(cutoff), "scale": scale})
