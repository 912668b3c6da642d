"""Rolling-origin backtest: fitted at past origins to what was known then, scored on what is known.

The one loop behind every score: of the magnets, a partner table, a panel file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np
import pandas as pd

from features.evidence_history import EvidenceHistory, training_moments
from features.series import seasonal_scale
from models.evaluation.scores import cell_scores, summarise
from models.executor import IN_TURN, Executor
from models.forecasting.evidence_forecaster import EvidenceForecaster, past_moments
from models.forecasting.forecaster import MODEL, forecast_file
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.residual_history import ResidualHistory
from models.forecasting.snapshot import Snapshot, SnapshotForecaster
from models.learning.parameters import ModelParameters
from store.arrays import Floats
from store.months import month_label
from store.vocabulary import PANEL_HORIZON

SCORED_FROM: Final = pd.Timestamp("2024-06-01", tz="UTC")
"""Origins from here on are scored. Before, hardly any month had a published level to score on."""

SCORED_HORIZONS: Final = (1, PANEL_HORIZON)
"""Of months, first and last."""


SCORE_COLUMNS: Final = ("model", "scope", "cells", "metric", "value", "horizon_from", "horizon_to")
"""Of the scores of a run, in which the model that publishes has no version."""

NO_SCORES: Final = pd.DataFrame(columns=list(SCORE_COLUMNS))


@dataclass(frozen=True, slots=True)
class Backtest:
    """Forecasts made at past origins and how they turned out."""

    forecasts: pd.DataFrame
    """All models: model, destination, cutoff, period, horizon, quantiles, mean."""
    cells: pd.DataFrame
    """The forecasts of known months with their errors."""
    scores: pd.DataFrame
    """As ``models.evaluation.scores.summarise``."""
    residuals: ResidualHistory = field(default_factory=ResidualHistory, repr=False)
    """Forecasts of the magnets' model at past origins, by which the next bands are calibrated."""

    @classmethod
    def none(cls) -> "Backtest":
        """Return the backtest that scored nothing."""
        return cls(pd.DataFrame(), pd.DataFrame(), NO_SCORES)

    def model_forecasts(self, *, status: str) -> pd.DataFrame:
        """Return the product's own forecasts in the columns of a forecast file."""
        own = self.forecasts["model"] == MODEL
        return forecast_file(self.forecasts.loc[own], status=status)


Comparison = tuple[pd.DataFrame, pd.DataFrame]
"""Forecasts of one table at one origin by all models, and ``scale_rows`` of it."""


def rolling_origin_backtest(
    forecaster: SnapshotForecaster,
    past: Sequence[Snapshot],
    truth: pd.DataFrame,
    *,
    label: str,
    executor: Executor = IN_TURN,
) -> Backtest:
    """Return how forecasts from past origins turned out.

    Args:
        forecaster: Fitted anew at each origin.
        past: What was known at each, oldest first.
        truth: destination, period, tonnes as known now.
        executor: Who runs the origins. A forecaster that learns from its own past errors needs one
            that takes them one after the other.
    """
    return scored(list(executor.map(partial(compared, forecaster), past, label)), truth)


def compared(forecaster: SnapshotForecaster, known: Snapshot) -> Comparison:
    """Return the forecasts of a snapshot by all models."""
    scale = scale_rows(known.series, known.cutoff, known.tonnes)
    return forecaster.fit(known).compare(), scale


def scored(comparisons: Sequence[Comparison], truth: pd.DataFrame) -> Backtest:
    """Return the backtest of one table; empty without an origin.

    An error is no share of tonnes where nothing was shipped: such scores are left out.

    Args:
        truth: destination, period, tonnes as known now.
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
    scores = summarise(cells, horizons=SCORED_HORIZONS)
    return Backtest(forecasts, cells, scores.loc[np.isfinite(scores["value"])])


def backtest_evidence(
    history: EvidenceHistory,
    as_of: pd.Timestamp,
    *,
    parameters: ModelParameters,
    executor: Executor = IN_TURN,
) -> Backtest:
    """Return the backtest of the evidence panel: one origin a month up to ``as_of``.

    The model is trained at each. Only months with a published level at ``as_of`` are scored.

    Args:
        as_of: The moment whose levels are the truth (UTC).
        executor: Who solves panels and trains heads; forecasts, which are calibrated by the errors
            of earlier ones, are made here, one origin after the other.
    """
    moments = past_moments(as_of)
    history.solve(
        training_moments(as_of),
        lambda solved, missing: executor.map(solved, missing, "evidence of past origins"),
    )
    forecaster, first = EvidenceForecaster(parameters), min(SCORED_FROM, moments[-1])
    past = forecaster.train_ahead(history, moments, executor)
    made = [compared(forecaster, known) for known in past]
    counted = made[sum(moment < first for moment in moments) :]
    found = scored(counted, Snapshot.of_evidence(history, as_of).published_months)
    return replace(found, residuals=forecaster.residuals)


def backtest_panel(
    forecaster: PanelForecaster,
    snapshot: Snapshot,
    cutoffs: Sequence[int],
    *,
    truth: pd.DataFrame | None = None,
    executor: Executor = IN_TURN,
) -> Backtest:
    """Return the backtest of a panel: from the months up to each cutoff, scored on the rest.

    Args:
        truth: destination, period, tonnes that are scored on; all months if left out.
    """
    return rolling_origin_backtest(
        forecaster,
        [snapshot.at(cutoff) for cutoff in sorted(cutoffs)],
        snapshot.published_months if truth is None else truth,
        label="cutoffs",
        executor=executor,
    )


def scale_rows(series: Iterable[str], cutoff: int, tonnes: Floats) -> pd.DataFrame:
    """Return destination, cutoff, scale: the mean absolute difference to the year before."""
    scale = np.nan_to_num(seasonal_scale(tonnes))
    return pd.DataFrame({"destination": series, "cutoff": month_label(cutoff), "scale": scale})
