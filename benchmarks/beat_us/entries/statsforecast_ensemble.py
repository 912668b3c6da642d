"""A reference: the mean of AutoETS and DynamicOptimizedTheta, quantiles and all."""

import numpy as np
import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import AutoETS, DynamicOptimizedTheta

BANDS = [90, 80, 50]
NAMES = ["p05", "p10", "p25", "p50", "p75", "p90", "p95"]


def forecast(
    facts: dict[str, pd.DataFrame],  # noqa: ARG001 - it knows nothing of policy
    panel: pd.DataFrame,
    asked: pd.DataFrame,
) -> pd.DataFrame:
    """Return p05 to p95 of each row of ``asked`` from what was known on the day."""
    train = panel.rename(columns={"destination": "unique_id", "period": "ds", "tonnes": "y"})
    train = train[["unique_id", "ds", "y"]].assign(ds=pd.to_datetime(train["ds"]))
    models = [AutoETS(season_length=12), DynamicOptimizedTheta(season_length=12)]
    horizon = int(asked["horizon"].max())
    predicted = StatsForecast(models, freq="MS").forecast(df=train, h=horizon, level=BANDS)
    predicted = predicted.reset_index() if "unique_id" not in predicted else predicted
    quantiles = {
        name: np.mean(
            [predicted[f"{model}{ending}"] for model in ("AutoETS", "DynamicOptimizedTheta")], 0
        )
        for name, ending in zip(
            NAMES, ["-lo-90", "-lo-80", "-lo-50", "", "-hi-50", "-hi-80", "-hi-90"], strict=True
        )
    }
    result = pd.DataFrame({name: np.maximum(value, 0.0) for name, value in quantiles.items()})
    result = result.assign(
        destination=predicted["unique_id"], period=predicted["ds"].dt.strftime("%Y-%m")
    )
    return asked.merge(result, on=["destination", "period"])
