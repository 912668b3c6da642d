"""A reference: mlforecast's LightGBM on log differences, with a conformal band."""

import lightgbm as lgb
import numpy as np
import pandas as pd
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean
from mlforecast.target_transforms import Differences, GlobalSklearnTransformer
from mlforecast.utils import PredictionIntervals
from sklearn.preprocessing import FunctionTransformer

ENDINGS = {
    "p05": "-lo-90", "p10": "-lo-80", "p25": "-lo-50", "p50": "", "p75": "-hi-50",
    "p90": "-hi-80", "p95": "-hi-90",
}  # fmt: skip


def forecast(
    facts: dict[str, pd.DataFrame],  # noqa: ARG001 - it knows nothing of policy
    panel: pd.DataFrame,
    asked: pd.DataFrame,
) -> pd.DataFrame:
    """Return p05 to p95 of each row of ``asked`` from what was known on the day."""
    train = panel.rename(columns={"destination": "unique_id", "period": "ds", "tonnes": "y"})
    train = train[["unique_id", "ds", "y"]].assign(ds=pd.to_datetime(train["ds"]))
    horizon = int(asked["horizon"].max())
    booster = lgb.LGBMRegressor(
        objective="l1", n_estimators=200, learning_rate=0.05, num_leaves=15, seed=1,
        num_threads=1, verbosity=-1,
    )  # fmt: skip
    model = MLForecast(
        {"lgb": booster},
        freq="MS",
        lags=range(1, 13),
        lag_transforms={1: [RollingMean(3), RollingMean(6), RollingMean(12)]},
        date_features=["month"],
        target_transforms=[
            GlobalSklearnTransformer(FunctionTransformer(np.log1p, np.expm1)),
            Differences([1]),
        ],
    )
    model.fit(train, prediction_intervals=PredictionIntervals(n_windows=2, h=horizon))
    predicted = model.predict(horizon, level=[50, 80, 90])
    values = np.sort(np.column_stack([predicted[f"lgb{end}"] for end in ENDINGS.values()]), axis=1)
    result = pd.DataFrame(np.maximum(values, 0.0), columns=list(ENDINGS))
    result = result.assign(
        destination=predicted["unique_id"], period=predicted["ds"].dt.strftime("%Y-%m")
    )
    return asked.merge(result, on=["destination", "period"])
