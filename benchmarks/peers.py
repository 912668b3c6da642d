"""Time peers on a panel, in their own environment: statsforecast, mlforecast, lightgbm, pandas < 3.

Usage: peers.py PANEL HORIZON CUTOFF[,CUTOFF...] NAME; NAME is one of ``PEERS``. Prints one line of
JSON: seconds by cutoff, processor seconds, forecast cells, versions and threads. Each peer first
forecasts a small part of the panel untimed, so that no compiling is counted. Run by speed.py and
scale.py; imports nothing of ours.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

THREADS = 2
LEVEL = [80]
WARM_UP_SERIES = 20
SEASON = 12


def features() -> dict[str, Any]:
    """Return what mlforecast makes of a series: standardised log differences, lags, rolling."""
    from mlforecast.lag_transforms import RollingMean, RollingStd  # noqa: PLC0415
    from mlforecast.target_transforms import (  # noqa: PLC0415
        Differences,
        GlobalSklearnTransformer,
        LocalStandardScaler,
    )
    from sklearn.preprocessing import FunctionTransformer  # noqa: PLC0415

    return {
        "lags": range(1, SEASON + 1),
        "lag_transforms": {
            1: [RollingMean(3), RollingMean(6), RollingMean(12), RollingStd(12)],
            12: [RollingMean(3)],
        },
        "date_features": ["month"],
        "target_transforms": [
            GlobalSklearnTransformer(FunctionTransformer(np.log1p, np.expm1)),
            Differences([1]),
            LocalStandardScaler(),
        ],
    }


def mlforecast(train: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """LightGBM on standardised log differences with a conformal band of two windows."""
    import lightgbm as lgb  # noqa: PLC0415 - only the peer that is timed
    from mlforecast import MLForecast  # noqa: PLC0415
    from mlforecast.utils import PredictionIntervals  # noqa: PLC0415

    booster = lgb.LGBMRegressor(
        objective="l1", n_estimators=300, learning_rate=0.05, num_threads=THREADS, verbosity=-1
    )
    model = MLForecast([booster], freq="MS", **features())
    model.fit(train, prediction_intervals=PredictionIntervals(n_windows=2, h=horizon))
    return model.predict(horizon, level=LEVEL)


def statsforecast(train: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """AutoETS and DynamicOptimizedTheta, each with its own band."""
    from statsforecast import StatsForecast  # noqa: PLC0415 - only the peer that is timed
    from statsforecast.models import AutoETS, DynamicOptimizedTheta  # noqa: PLC0415

    models = [AutoETS(season_length=SEASON), DynamicOptimizedTheta(season_length=SEASON)]
    fitted = StatsForecast(models, freq="MS", n_jobs=THREADS)
    return fitted.forecast(df=train, h=horizon, level=LEVEL)


PEERS: dict[str, Callable[[pd.DataFrame, int], pd.DataFrame]] = {
    "mlforecast": mlforecast,
    "statsforecast": statsforecast,
}


def known(panel: pd.DataFrame, cutoff: str, horizon: int) -> pd.DataFrame:
    """Return the rows up to a cutoff of the series that are long enough to learn from."""
    rows = panel.loc[panel["ds"] <= pd.Timestamp(cutoff)]
    months = rows.groupby("unique_id")["ds"].transform("size")
    return rows.loc[months >= max(30, 2 * horizon + 4)]


def main() -> None:
    path, horizon, cutoffs, name = (
        sys.argv[1],
        int(sys.argv[2]),
        sys.argv[3].split(","),
        sys.argv[4],
    )
    panel = pd.read_csv(path)[["destination", "period", "tonnes"]]
    panel.columns = ["unique_id", "ds", "y"]
    panel["ds"] = pd.to_datetime(panel["ds"])
    parts = [known(panel, cutoff, horizon) for cutoff in cutoffs]
    few = parts[-1]["unique_id"].unique()[:WARM_UP_SERIES]
    PEERS[name](parts[-1].loc[parts[-1]["unique_id"].isin(few)], horizon)
    seconds, cells, cpu = [], 0, time.process_time()
    for part in parts:
        started = time.perf_counter()
        cells += len(PEERS[name](part, horizon))
        seconds.append(time.perf_counter() - started)
    result = {
        "seconds": seconds,
        "cpu": time.process_time() - cpu,
        "cells": cells,
        "threads": THREADS,
        "versions": {package: version(package) for package in (name, "lightgbm", "pandas")},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
