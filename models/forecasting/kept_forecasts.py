"""Forecasts of the magnets' model at past origins, kept by digest of all that they depend on.

Whatever did not change since is not fitted again. Source: docs/adr/0046-kept-origins.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from models.forecasting.evidence_forecaster import EvidenceForecaster, EvidenceSnapshot
from models.forecasting.residual_history import RawPrediction, ResidualHistory
from models.learning.spec import ModelSpec
from store.digest_cache import Values

FACTS: Final = ("observations", "events", "tariffs", "analog_events")
"""What a forecast may look at."""

TABLE: Final = "table"


@dataclass(frozen=True, slots=True)
class KeptForecaster:
    """The magnets' recipe at past origins, one after the other, oldest first.

    The forecasts of an origin are calibrated by the errors of those before it, so its key holds
    their moments too; what was known at them was known later as well.
    """

    spec: ModelSpec
    residuals: ResidualHistory = field(default_factory=ResidualHistory, init=False, repr=False)
    moments: list[pd.Timestamp] = field(default_factory=list, init=False, repr=False)

    def fit(self, snapshot: EvidenceSnapshot) -> "Iterator[KeptForecast]":
        """Yield the forecaster of a snapshot, which learns only if nothing is kept of it."""
        yield KeptForecast(snapshot, self)


@dataclass(frozen=True, slots=True)
class KeptForecast:
    """What the magnets' recipe forecasts from one snapshot."""

    snapshot: EvidenceSnapshot
    forecaster: KeptForecaster = field(repr=False)

    def predict(self) -> Iterator[pd.DataFrame]:
        """Yield the forecast of all series, as ``FittedEvidence.predict``.

        Raises:
            DataError: No past origin has a month that is known by then.
        """
        own = self.forecaster
        for fitted in EvidenceForecaster(own.spec, own.residuals).fit(self.snapshot):
            yield from fitted.predict()

    def compare(self) -> pd.DataFrame:
        """Return the forecasts of all models, as ``FittedEvidence.compare``.

        Raises:
            DataError: No past origin has a month that is known by then.
        """
        own, history = self.forecaster, self.snapshot.history
        own.moments.append(self.snapshot.as_of)
        past = [moment.isoformat() for moment in own.moments]
        key = history.key(self.snapshot.as_of, EvidenceForecaster, own.spec.choices, past, of=FACTS)
        kept = history.cache.fetch(key, self._values)
        table: pd.DataFrame = kept.pop(TABLE)
        for model, (low, middle, high) in kept.items():
            own.residuals.add(model, RawPrediction(self.snapshot.origin, (low, middle, high)))
        return table

    def _values(self) -> Values:
        """Return the forecasts, and by model what its heads predict."""
        own = self.forecaster
        earlier = {name: [*made] for name, made in own.residuals.predictions.items()}
        fresh = EvidenceForecaster(own.spec, ResidualHistory(earlier))
        [fitted] = fresh.fit(self.snapshot)
        table = fitted.compare()
        heads = {name: made[-1].heads for name, made in fresh.residuals.predictions.items()}
        return {TABLE: table, **heads}
