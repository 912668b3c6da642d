"""The magnets' model: LightGBM heads and experts combined, calibrated by its own past errors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import lightgbm as lgb
import pandas as pd

from features.months import month_label
from models.forecasting.boosting import fit_heads
from models.forecasting.distribution import answered, distribution
from models.forecasting.evidence_snapshot import EvidenceSnapshot
from models.forecasting.forecaster import MODEL, UNANSWERED
from models.forecasting.intervals import card_of
from models.forecasting.model_frame import rows_of, training_set
from models.forecasting.residual_history import (
    EXPERTS,
    TREES,
    RawPrediction,
    ResidualHistory,
    statistical_prediction,
)
from models.forecasting.spec import ModelSpec
from models.policy.policy_effect import effect_at
from models.registry import served
from models.registry.served import TREES_WEIGHT, HeadValues
from models.statistical.experts import BASELINES


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """Trained heads and their calibration."""

    heads: Mapping[str, lgb.Booster] = field(repr=False)
    card: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class EvidenceForecaster:
    """The recipe; later fits are calibrated by the errors of earlier comparisons."""

    spec: ModelSpec
    residuals: ResidualHistory = field(default_factory=ResidualHistory, repr=False)

    def fit(self, snapshot: EvidenceSnapshot) -> "Iterator[FittedEvidence]":
        """Yield the model trained on a snapshot.

        Raises:
            DataError: No past origin has a month that is known by then.
        """
        yield FittedEvidence(snapshot, self.train(snapshot), self)

    def train(self, snapshot: EvidenceSnapshot) -> TrainedModel:
        """Return the model trained on a snapshot.

        Raises:
            DataError: No past origin has a month that is known by then.
        """
        data = training_set(snapshot.past, snapshot.origin, self.spec)
        card = card_of(data.names, self.residuals.residuals(MODEL, snapshot.origin), self.spec)
        weight = self.residuals.trees_weight(snapshot.origin, self.spec).tolist()
        return TrainedModel(fit_heads(data, self.spec), {**card, TREES_WEIGHT: weight})


@dataclass(frozen=True, slots=True)
class FittedEvidence:
    """The magnets' model, trained on one snapshot."""

    snapshot: EvidenceSnapshot
    model: TrainedModel
    forecaster: EvidenceForecaster = field(repr=False)

    def predict(self) -> Iterator[pd.DataFrame]:
        """Yield the forecast of all series: destination, period, horizon, quantiles, mean, cutoff.

        Sums are coherent, and controls and coming tariffs are in it.
        """
        rows = rows_of(self.snapshot.origin)
        trees = served.head_values(self.model.heads, self.model.card, rows)
        combined = served.combined(trees, self.model.card, rows)
        plain = distribution(combined, self.model.card, self.snapshot.origin, rows)
        yield self._answered(plain).assign(cutoff=month_label(self.snapshot.cutoff))

    def compare(self) -> pd.DataFrame:
        """Return the forecasts of the model, its parts and the baselines, all coherent.

        They are added to the residual history, so a backtest runs its origins one after the other.

        Returns:
            model, destination, period, horizon, quantiles, mean, as_of and cutoff.
        """
        origin = self.snapshot.origin
        rows = rows_of(origin)
        tables = []
        for model, values in self._predictions(rows).items():
            table = distribution(values, self._card(model), origin, rows)
            if model == MODEL:
                tables.append(self._answered(table).assign(model=MODEL))
            tables.append(table.assign(model=UNANSWERED if model == MODEL else model))
            self.forecaster.residuals.add(model, RawPrediction(origin, values))
        return pd.concat(tables, ignore_index=True).assign(
            as_of=self.snapshot.as_of, cutoff=month_label(origin.cutoff)
        )

    def _predictions(self, rows: pd.DataFrame) -> dict[str, HeadValues]:
        """Return what the model, its parts and the baselines predict, before calibration."""
        trees = served.head_values(self.model.heads, self.model.card, rows)
        origin = self.snapshot.origin
        others = {
            name: statistical_prediction(name, origin).heads for name in (EXPERTS, *BASELINES)
        }
        return {MODEL: served.combined(trees, self.model.card, rows), TREES: trees, **others}

    def _card(self, model: str) -> Mapping[str, object]:
        if model == MODEL:
            return self.model.card
        known = self.forecaster.residuals.residuals(model, self.snapshot.origin)
        return card_of((), known, self.forecaster.spec)

    def _answered(self, table: pd.DataFrame) -> pd.DataFrame:
        effect = effect_at(self.snapshot.origin, self.snapshot.analogs)
        return answered(table, effect, self.snapshot.origin)
