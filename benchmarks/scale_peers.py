"""mlforecast on a panel file, in its own environment; run by scale.py, imports nothing of ours.

Usage: scale_peers.py PANEL KNOWN HORIZON OUT; KNOWN is how many months of the panel it may see.
Writes the medians to OUT and prints one line of JSON: seconds of preprocessing and of the forecast,
rows and bytes of the features, versions.
"""

import json
import sys
import time
import warnings
from importlib.metadata import version

import lightgbm as lgb
import numpy as np
import pandas as pd
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean, RollingStd
from mlforecast.target_transforms import (
    Differences,
    GlobalSklearnTransformer,
    LocalStandardScaler,
)
from sklearn.preprocessing import FunctionTransformer

THREADS = 2
SEASON = 12
ROUNDS = 100
WARM_UP_SERIES = 20
LEVELS = {"p10": 0.1, "p50": 0.5, "p90": 0.9}


def forecaster() -> MLForecast:
    """Three LightGBM quantiles on standardised log differences, features as in peers.py."""
    heads = {
        name: lgb.LGBMRegressor(
            objective="quantile",
            alpha=level,
            n_estimators=ROUNDS,
            learning_rate=0.05,
            num_threads=THREADS,
            verbosity=-1,
        )
        for name, level in LEVELS.items()
    }
    return MLForecast(
        heads,
        freq="MS",
        num_threads=THREADS,
        lags=range(1, SEASON + 1),
        lag_transforms={
            1: [RollingMean(3), RollingMean(6), RollingMean(12), RollingStd(12)],
            12: [RollingMean(3)],
        },
        date_features=["month"],
        target_transforms=[
            GlobalSklearnTransformer(FunctionTransformer(np.log1p, np.expm1)),
            Differences([1]),
            LocalStandardScaler(),
        ],
    )


def forecast(train: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Fit one model a month ahead and quantile, and forecast."""
    model = forecaster()
    model.fit(train, max_horizon=horizon)
    return model.predict(horizon)


def main() -> None:
    path, known, horizon, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    panel = pd.read_parquet(path).astype({"destination": str, "period": str})
    panel.columns = ["unique_id", "ds", "y"]
    panel["ds"] = pd.to_datetime(panel["ds"])
    months = np.sort(panel["ds"].unique())
    train = panel.loc[panel["ds"] <= months[known - 1]]
    few = train["unique_id"].unique()[:WARM_UP_SERIES]
    small = train.loc[train["unique_id"].isin(few)]
    forecast(small, horizon)
    started = time.perf_counter()
    table = forecaster().preprocess(train)
    prepared = time.perf_counter()
    found = forecast(train, horizon)
    done = time.perf_counter()
    found.to_parquet(out)
    told = {
        "preprocess": prepared - started,
        "forecast": done - prepared,
        "rows": len(table),
        "bytes": int(table.memory_usage().sum()),
        "versions": {name: version(name) for name in ("mlforecast", "lightgbm", "pandas")},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
