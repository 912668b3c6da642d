"""Forecasts of the magnets' model at past origins, cached by all that they depend on.

Whatever did not change since is not fitted again. Source: docs/adr/0046-kept-origins.md.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import pandas as pd

from features.history import EvidenceHistory
from models.executor import Executor
from models.forecasting.evidence_forecaster import (
    EvidenceForecaster,
    EvidenceSnapshot,
    TrainedHeads,
    trained_heads,
)
from models.forecasting.residual_history import RawPrediction, ResidualHistory
from models.learning.spec import Spec
from store.digest_cache import Values

FACTS: Final = ("observations", "events", "tariffs", "analog_events")
"""What a forecast may look at."""

_TABLE: Final = "table"


@dataclass(frozen=True, slots=True)
class KeptForecaster:
    """The magnets' recipe at past origins, one after the other, oldest first.

    The forecasts of an origin are calibrated by the errors of those before it, so its key holds
    their moments too; what was known at them was known later as well.
    """

    spec: Spec
    history: EvidenceHistory = field(repr=False)
    moments: Sequence[pd.Timestamp]
    """Its origins."""
    residuals: ResidualHistory = field(default_factory=ResidualHistory, init=False, repr=False)
    trained: dict[pd.Timestamp, TrainedHeads] = field(default_factory=dict, init=False, repr=False)
    """Heads that were trained ahead."""

    def key(self, moment: pd.Timestamp) -> str:
        """Return the key of the forecasts from one of the origins."""
        past = [one.isoformat() for one in self.moments if one <= moment]
        return self.history.key(moment, "forecast", self.spec.choices, past, of=FACTS)

    def train_ahead(self, executor: Executor, label: str) -> Iterator[pd.Timestamp]:
        """Yield the origins, each once its heads are at hand or its forecasts are kept."""
        fresh = [one for one in self.moments if not self.history.cache.holds(self.key(one))]
        train = partial(trained_heads, self.history, self.spec)
        found = executor.map(train, fresh, label)
        for moment in self.moments:
            if moment in fresh:
                self.trained.clear()
                self.trained[moment] = next(found)
            yield moment

    def fit(self, snapshot: EvidenceSnapshot) -> "KeptForecast":
        """Return the forecaster of a snapshot, which learns only if nothing is kept of it."""
        return KeptForecast(snapshot, self)


@dataclass(frozen=True, slots=True)
class KeptForecast:
    """What the magnets' recipe forecasts from one snapshot."""

    snapshot: EvidenceSnapshot
    forecaster: KeptForecaster = field(repr=False)

    def compare(self) -> pd.DataFrame:
        """Return the forecasts of all models, as ``FittedEvidence.compare``."""
        own, history = self.forecaster, self.snapshot.history
        kept = history.cache.fetch(own.key(self.snapshot.as_of), self._values)
        table: pd.DataFrame = kept.pop(_TABLE)
        for model, (low, middle, high) in kept.items():
            own.residuals.add(model, RawPrediction(self.snapshot.origin, (low, middle, high)))
        return table

    def _values(self) -> Values:
        """Return the forecasts, and by model what its heads predict."""
        own = self.forecaster
        earlier = {name: [*made] for name, made in own.residuals.predictions.items()}
        fresh = EvidenceForecaster(own.spec, ResidualHistory(earlier), own.trained)
        fitted = fresh.fit(self.snapshot)
        table = fitted.compare()
        heads = {name: made[-1].heads for name, made in fresh.residuals.predictions.items()}
        return {_TABLE: table, **heads}
