"""The magnets' model: LightGBM boosters and base forecasts, calibrated by its past errors.

What it forecast at past origins is cached by all that it depends on: whatever did not change since
is not fitted again. Source: docs/adr/0036-one-forecaster-protocol.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Final

import numpy as np
import pandas as pd

from features.evidence_history import EvidenceHistory, release_moments
from features.statistical.base_forecasts import BASELINES
from models import quantile_model
from models.executor import Executor
from models.forecasting.decomposition import stages_from, stages_of
from models.forecasting.model_frame import evidence_training_set, fitted_boosters, rows_of
from models.forecasting.model_names import BASE_MEDIAN, MODEL, UNANSWERED
from models.forecasting.residual_history import (
    TREES,
    RawPrediction,
    ResidualHistory,
    statistical_distances,
)
from models.forecasting.snapshot import Snapshot
from models.learning.boosters import Boosters
from models.learning.calibration import metadata_of
from models.learning.parameters import ModelParameters
from models.policy.policy_effect import PolicyEffect, effect_at
from models.quantile_model import TrainedModel
from models.reconciliation import coherent
from store.digest_cache import Values
from store.errors import DataError
from store.months import month_label
from store.vocabulary import MAX_HORIZON

SCORED_FROM: Final = pd.Timestamp("2024-06-01", tz="UTC")
"""First scored origin; hardly any month before had a published level to score on."""

FIRST_REPLAY: Final = "2019-12-25"
"""First origin with half a year of origins before it to train on."""

FACTS: Final = ("observations", "events", "tariffs", "analog_events")
"""What a forecast may look at."""

_TABLE: Final = "table"


def past_moments(as_of: pd.Timestamp, since: pd.Timestamp = SCORED_FROM) -> list[pd.Timestamp]:
    """Origins of a backtest at ``as_of``, of two years at least.

    They begin a year before the first scored origin, as their errors calibrate its bands.
    """
    start = min(since - pd.DateOffset(years=1), as_of - pd.DateOffset(years=2))
    start = max(start, pd.Timestamp(FIRST_REPLAY, tz="UTC"))
    moments = release_moments(f"{start:%Y-%m-%d}", as_of)
    if not moments:
        raise DataError(
            f"as_of={as_of:%Y-%m-%d} has no past to learn from. "
            f"Expected a day after {FIRST_REPLAY}, "
            "because detail by destination was first published in mid-2019. Take a later --as-of."
        )
    return moments


def trained_boosters(
    history: EvidenceHistory, parameters: ModelParameters, moment: pd.Timestamp
) -> Boosters:
    """Boosters trained at a moment; the errors of earlier forecasts do not enter."""
    origin = history.origin(moment)
    rows = evidence_training_set(history.past(moment), origin, parameters)
    return fitted_boosters(rows, origin, parameters)


@dataclass(frozen=True, slots=True)
class EvidenceForecaster:
    """The magnets' forecaster; earlier comparisons calibrate later fits."""

    parameters: ModelParameters
    residuals: ResidualHistory = field(default_factory=ResidualHistory, repr=False)
    trained: dict[pd.Timestamp, Boosters] = field(default_factory=dict, init=False, repr=False)
    """Boosters that were trained ahead, by moment."""

    def fit(self, snapshot: Snapshot) -> "FittedEvidence":
        """Model of a snapshot, trained only when a result that is not cached is asked for."""
        return FittedEvidence(snapshot, self)

    def train(self, snapshot: Snapshot) -> TrainedModel:
        """Model trained on a snapshot."""
        history, moment = snapshot.evidence
        boosters = self.trained.get(moment) or trained_boosters(history, self.parameters, moment)
        residuals = self.residuals.residuals(MODEL, snapshot.origin)
        names = boosters["p50"].feature_name()
        return TrainedModel(boosters, metadata_of(names, residuals, self.parameters, MAX_HORIZON))

    def key(self, history: EvidenceHistory, moments: Sequence[pd.Timestamp]) -> str:
        """Cache key of the forecasts from the last of some origins.

        They are calibrated by the errors of those before it.
        """
        past = [moment.isoformat() for moment in moments]
        return history.key(moments[-1], "forecast", self.parameters.by_name, past, fact_names=FACTS)

    def train_ahead(
        self, history: EvidenceHistory, moments: Sequence[pd.Timestamp], executor: Executor
    ) -> Iterator[Snapshot]:
        """Yield the snapshots of some moments, oldest first.

        Each follows once its boosters are trained or its forecasts cached. It must be compared
        before the next one is taken.
        """
        keys = {
            origin_moment: self.key(history, moments[: place + 1])
            for place, origin_moment in enumerate(moments)
        }
        uncached = [moment for moment, key in keys.items() if not history.cache.holds(key)]
        trained = executor.map(
            partial(trained_boosters, history, self.parameters), uncached, "backtest"
        )
        for moment in moments:
            if moment in uncached:
                self.trained.clear()
                self.trained[moment] = next(trained)
            yield Snapshot.of_evidence(history, moment)


@dataclass(frozen=True)
class FittedEvidence:
    """The magnets' model on one snapshot."""

    snapshot: Snapshot
    forecaster: EvidenceForecaster = field(repr=False)

    @cached_property
    def model(self) -> TrainedModel:
        return self.forecaster.train(self.snapshot)

    def published(self) -> pd.DataFrame:
        """Quantiles and mean of all series and targets, as they would be published."""
        origin = self.snapshot.origin
        return stages_of(self.model, rows_of(origin), origin, self._effect).published

    def compare(self) -> pd.DataFrame:
        """Forecasts of the model, its parts and the baselines, all coherent.

        Months fixed by figures are left out. The forecasts enter the residual history, so a
        backtest runs its origins one after the other.

        Returns:
            model, destination, period, horizon, quantiles, mean, as_of and cutoff.
        """
        residuals, (history, moment) = self.forecaster.residuals, self.snapshot.evidence
        residuals.moments.append(moment)
        values = history.cache.fetch(self.forecaster.key(history, residuals.moments), self._values)
        table: pd.DataFrame = values.pop(_TABLE)
        for model, (low, middle, high) in values.items():
            residuals.add(model, RawPrediction(self.snapshot.origin, (low, middle, high)))
        return table

    def _values(self) -> Values:
        """Table of forecasts, and the uncalibrated distances of each model."""
        origin, metadata = self.snapshot.origin, self.model.metadata
        rows, forecasts = rows_of(origin), dict[str, pd.DataFrame]()
        trees = quantile_model.booster_distances(self.model.boosters, metadata, rows)
        predicted = {MODEL: quantile_model.combined(trees, metadata, rows), TREES: trees}
        for name in (BASE_MEDIAN, *BASELINES):
            predicted[name] = statistical_distances(name, origin, rows)
        for model, values in predicted.items():
            quantiles = quantile_model.quantiles_of(values, self._metadata(model), rows)
            if model == MODEL:
                stages = stages_from(quantiles, origin, self._effect)
                forecasts |= {MODEL: stages.published, UNANSWERED: stages.coherent}
            else:
                forecasts[model] = coherent(quantiles, origin)
        is_open = np.ones((len(origin.series), len(origin.targets)), dtype=bool)
        if origin.later is not None:  # figures after the cutoff
            is_open[origin.later.row, origin.later.column] = False
        keys = rows[["destination", "period", "horizon"]].astype({"horizon": int})
        tables = [
            pd.concat([keys, forecast], axis=1).assign(model=name)
            for name, forecast in forecasts.items()
        ]
        tables = [forecast.loc[is_open.reshape(-1)] for forecast in tables]
        table = pd.concat(tables, ignore_index=True).assign(
            as_of=self.snapshot.evidence[1], cutoff=month_label(origin.cutoff)
        )
        return {_TABLE: table, **predicted}

    def _metadata(self, model: str) -> Mapping[str, object]:
        if model == MODEL:
            return self.model.metadata
        residuals = self.forecaster.residuals.residuals(model, self.snapshot.origin)
        return metadata_of((), residuals, self.forecaster.parameters, MAX_HORIZON)

    @property
    def _effect(self) -> PolicyEffect:
        return effect_at(self.snapshot.origin, self.snapshot.analogs)
