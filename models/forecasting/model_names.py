"""Names of models in forecasts, scores and the fallback order, and the columns of a forecast."""

from typing import Final

import pandas as pd

from store.vocabulary import FORECAST_COLUMNS

MODEL: Final = "magnetcast"
"""Name of the product's own model in forecasts and scores."""

UNANSWERED: Final = "no_response"
"""The same without the response to controls observed in no, or few, months."""

REFERENCE: Final = "seasonal_naive"
"""The baseline that every model is measured against."""

BASE_MEDIAN: Final = "experts"
"""The base forecasts together, without trees: their median, of magnets as ``base_tonnes``."""

LAST_VALUE: Final = "last_value"
"""Name of the last known month said of all months ahead."""

STATISTICAL: Final = "statistical ensemble"
NAIVE: Final = "seasonal naive"
LAST: Final = "last value"
"""Status of a forecast by a step of the fallback chain without a trained model."""

PREVIOUS: Final = "previous champion"
"""Status of a forecast by the champion before, as the champion cannot forecast."""

FALLBACK_MODELS: Final = {STATISTICAL: BASE_MEDIAN, NAIVE: REFERENCE, LAST: LAST_VALUE}
"""The simple rules: name of each of these steps in a backtest, in the order of the chain."""

FALLBACK_PREFIXES: Final = {
    BASE_MEDIAN: "statistical", REFERENCE: "seasonal-naive", LAST_VALUE: "last-value",
}  # fmt: skip
"""First part of the name under which each of these models is published."""


def rule_of(model: str) -> str:
    """Simple rule by whose forecasts a model is published under a name; empty for others."""
    prefixes = {name: f"{prefix}-" for name, prefix in FALLBACK_PREFIXES.items()}
    return next((name for name, prefix in prefixes.items() if model.startswith(prefix)), "")


def fallback_of(forecasts: pd.DataFrame) -> tuple[str, str]:
    """Fallback that forecast every destination and why no champion did; empty if one did.

    Args:
        forecasts: status and reason of each row; not modified.
    """
    status = forecasts["status"].astype(str).str.removeprefix("stale, ")
    if forecasts.empty or not status.isin([PREVIOUS, *FALLBACK_MODELS]).all():
        return "", ""
    reasons = forecasts["reason"].fillna("") if "reason" in forecasts else pd.Series([""])
    return status.iloc[0], str(reasons.iloc[0])


def forecast_file(forecasts: pd.DataFrame, *, status: str) -> pd.DataFrame:
    """Forecasts of the product in the columns of a forecast file.

    Args:
        forecasts: destination, cutoff, period, horizon, quantiles, mean; not modified.
    """
    period = forecasts["period"].dt.strftime("%Y-%m")
    labelled = forecasts.assign(model=MODEL, period=period, status=status)
    return labelled[list(FORECAST_COLUMNS)].reset_index(drop=True)
