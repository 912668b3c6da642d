"""The magnets' model: LightGBM heads and experts combined, calibrated by its own past errors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd

from features.controls.analogs import Analog
from features.history import FIRST_TRAINING, EvidenceHistory, release_moments
from features.months import month_label, month_starts
from features.origin import Origin
from features.statistical.experts import BASELINES
from models.forecasting.conditioning import coherent
from models.forecasting.decomposition import stages_from, stages_of
from models.forecasting.forecaster import EXPERTS, MODEL, UNANSWERED
from models.forecasting.model_frame import heads_of, rows_of, training_set
from models.forecasting.residual_history import (
    TREES,
    RawPrediction,
    ResidualHistory,
    statistical_prediction,
)
from models.learning.calibration import card_of
from models.learning.spec import Spec
from models.policy.policy_effect import PolicyEffect, effect_at
from models.registry import served
from models.registry.served import HeadValues, TrainedModel
from store.arrays import Flags, Floats
from store.errors import DataError
from store.vocabulary import MAX_HORIZON

WARM_UP_FROM: Final = "2023-06-25"
"""First origin whose errors calibrate the bands; the year before the first scored origin."""

FIRST_REPLAY: Final = "2019-12-25"
"""First origin with half a year of origins before it to train on."""


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceSnapshot:
    """The evidence panel at one moment, with the past that a model is trained on."""

    history: EvidenceHistory = field(repr=False)
    as_of: pd.Timestamp

    @property
    def origin(self) -> Origin:
        return self.history.origin(self.as_of)

    @property
    def analogs(self) -> tuple[Analog, ...]:
        return self.history.analogs(self.as_of)

    @property
    def series(self) -> tuple[str, ...]:
        return self.origin.series

    @property
    def cutoff(self) -> int:
        return self.origin.cutoff

    @property
    def tonnes(self) -> Floats:
        return self.origin.tonnes

    def published_levels(self) -> pd.DataFrame:
        """Return destination, period, tonnes of the months with a published level."""
        now = self.origin
        row, column = np.nonzero(now.is_observed)
        return pd.DataFrame(
            {
                "destination": np.array(now.series, dtype=object)[row],
                "period": month_starts(now.first + column),
                "tonnes": now.tonnes[row, column],
            }
        )


def past_moments(as_of: pd.Timestamp) -> list[pd.Timestamp]:
    """Return the origins of a backtest at ``as_of``: from mid-2023, or the two years before."""
    start = min(pd.Timestamp(WARM_UP_FROM, tz="UTC"), as_of - pd.DateOffset(years=2))
    start = max(start, pd.Timestamp(FIRST_REPLAY, tz="UTC"))
    moments = release_moments(f"{start:%Y-%m-%d}", as_of)
    if not moments:
        raise DataError(
            f"as_of={as_of:%Y-%m-%d} has no past to learn from. "
            f"Expected a day after {FIRST_REPLAY}, "
            "because detail by destination was first published in mid-2019. Take a later --as-of."
        )
    return moments


def training_moments(as_of: pd.Timestamp) -> list[pd.Timestamp]:
    """Return the past origins that a model trained at ``as_of`` learns from."""
    return release_moments(FIRST_TRAINING, as_of)


def _settled(origin: Origin) -> Flags:
    """Tell of each series and target, flat, whether a figure after the cutoff settles it."""
    found = np.zeros((len(origin.series), len(origin.targets)), dtype=bool)
    if origin.later is not None:
        found[origin.later.row, origin.later.column] = True
    return found.reshape(-1)


@dataclass(frozen=True, slots=True)
class TrainedHeads:
    """What a model learns from a snapshot alone, whatever the errors of earlier forecasts."""

    features: tuple[str, ...]
    heads: Mapping[str, lgb.Booster] = field(repr=False)


def trained_heads(history: EvidenceHistory, spec: Spec, moment: pd.Timestamp) -> TrainedHeads:
    """Return the heads trained on what was known at a moment."""
    now = history.origin(moment)
    data = training_set(history.past(moment), now, spec)
    return TrainedHeads(data.names, heads_of(data, now, spec))


@dataclass(frozen=True, slots=True)
class EvidenceForecaster:
    """The recipe; later fits are calibrated by the errors of earlier comparisons."""

    spec: Spec
    residuals: ResidualHistory = field(default_factory=ResidualHistory, repr=False)
    trained: Mapping[pd.Timestamp, TrainedHeads] = field(default_factory=dict, repr=False)
    """Heads at hand, by moment; others are trained."""

    def fit(self, snapshot: EvidenceSnapshot) -> "FittedEvidence":
        """Return the model trained on a snapshot."""
        return FittedEvidence(snapshot, self.train(snapshot), self)

    def train(self, snapshot: EvidenceSnapshot) -> TrainedModel:
        """Return the model trained on a snapshot."""
        moment, origin = snapshot.as_of, snapshot.origin
        made = self.trained.get(moment) or trained_heads(snapshot.history, self.spec, moment)
        known = self.residuals.residuals(MODEL, origin)
        return TrainedModel(made.heads, card_of(made.features, known, self.spec, MAX_HORIZON))


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
        origin = self.snapshot.origin
        rows = rows_of(origin)
        published = stages_of(self.model, rows, origin, self._effect).published
        keys = _keys(rows).assign(cutoff=month_label(origin.cutoff))
        yield pd.concat([keys, published], axis=1)

    def compare(self) -> pd.DataFrame:
        """Return the forecasts of the model, its parts and the baselines, all coherent.

        Without months that figures have settled: they are no forecasts.
        They are added to the residual history, so a backtest runs its origins one after the other.

        Returns:
            model, destination, period, horizon, quantiles, mean, as_of and cutoff.
        """
        origin = self.snapshot.origin
        rows, found = rows_of(origin), dict[str, pd.DataFrame]()
        for model, values in self._predictions(rows).items():
            made = served.quantiles_of(values, self._card(model), rows)
            if model == MODEL:
                stages = stages_from(made, origin, self._effect)
                found |= {MODEL: stages.published, UNANSWERED: stages.coherent}
            else:
                found[model] = coherent(made, origin)
            self.forecaster.residuals.add(model, RawPrediction(origin, values))
        open_, keys = ~_settled(origin), _keys(rows)
        tables = [pd.concat([keys, one], axis=1).assign(model=name) for name, one in found.items()]
        return pd.concat([one.loc[open_] for one in tables], ignore_index=True).assign(
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
        return card_of((), known, self.forecaster.spec, MAX_HORIZON)

    @property
    def _effect(self) -> PolicyEffect:
        return effect_at(self.snapshot.origin, self.snapshot.analogs)


def _keys(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[["destination", "period", "horizon"]].astype({"horizon": int})
