"""What every forecaster is: fitted to a snapshot of what was known, then asked.

A recipe of the product (``evidence_forecaster``, ``panel_forecaster``) implements
:class:`SnapshotForecaster`; backtests, runs and pages know nothing else of it.
"""

from typing import Final, Protocol, TypeVar

import pandas as pd

from store.arrays import Floats
from store.vocabulary import FORECAST_COLUMNS

MODEL: Final = "magnetcast"
"""Name of the product's own model in forecasts and scores."""

UNANSWERED: Final = "no_response"
"""The same without the response to controls that no month, or few months, have felt."""

REFERENCE: Final = "seasonal_naive"
"""The baseline that every model is measured against."""

EXPERTS: Final = "experts"
"""The statistical experts together, without trees."""

STATISTICAL: Final = "statistical ensemble"
NAIVE: Final = "seasonal naive"
"""Status of a forecast by a step of the fallback chain without a trained model."""

SPEAKER: Final = {STATISTICAL: EXPERTS, NAIVE: REFERENCE}
"""Name in the backtest of each of these steps."""


class Snapshot(Protocol):
    """What was known at one moment, ready to be forecast."""

    @property
    def series(self) -> tuple[str, ...]: ...

    @property
    def cutoff(self) -> int: ...

    @property
    def tonnes(self) -> Floats: ...


class FittedForecaster(Protocol):
    """A forecaster that has learned from one snapshot."""

    @property
    def snapshot(self) -> Snapshot: ...

    def compare(self) -> pd.DataFrame:
        """Return the forecasts of the product and of its baselines, with a column ``model``."""
        ...


SnapshotT_contra = TypeVar("SnapshotT_contra", contravariant=True)


class SnapshotForecaster(Protocol[SnapshotT_contra]):
    """One recipe: features, trees, experts, bands."""

    def fit(self, snapshot: SnapshotT_contra) -> FittedForecaster:
        """Return the forecaster fitted to a snapshot, on nothing later than its moment."""
        ...


def forecast_file(forecasts: pd.DataFrame, *, status: str) -> pd.DataFrame:
    """Return the product's forecasts in the columns of a forecast file.

    Args:
        forecasts: destination, cutoff, period, horizon, quantiles, mean; not modified.
    """
    period = forecasts["period"].dt.strftime("%Y-%m")
    labelled = forecasts.assign(model=MODEL, period=period, status=status)
    return labelled[list(FORECAST_COLUMNS)].reset_index(drop=True)
