"""mlforecast on a panel file, in its own environment; imports nothing of the product.

Run by scale.py. Usage: scale_peers.py WHAT PANEL KNOWN HORIZON OUT; WHAT is preprocess or forecast,
KNOWN how many months of the panel it may see. A forecast writes its medians to OUT. Prints one line
of JSON: wall and processor seconds (preprocessing: the least of some rounds), rows, columns and
bytes of the features, versions.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version

import lightgbm as lgb
import numpy as np
import pandas as pd
from mlforecast import MLForecast
from peers import THREADS, features

ROUNDS = 100
ROUNDS_OF_FEATURES = 3
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
    return MLForecast(heads, freq="MS", num_threads=THREADS, **features())


def forecast(train: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Fit one model a month ahead and quantile, and forecast."""
    model = forecaster()
    model.fit(train, max_horizon=horizon)
    return model.predict(horizon)


def timed(work: Callable[[], pd.DataFrame]) -> tuple[pd.DataFrame, float, float]:
    """Return what some work finds, and its wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    what, path, known, horizon, out = (
        *sys.argv[1:3],
        int(sys.argv[3]),
        int(sys.argv[4]),
        sys.argv[5],
    )
    panel = pd.read_parquet(path).astype({"destination": str, "period": str})
    panel.columns = ["unique_id", "ds", "y"]
    panel["ds"] = pd.to_datetime(panel["ds"])
    months = np.sort(panel["ds"].unique())
    train = panel.loc[panel["ds"] <= months[known - 1]]
    few = train["unique_id"].unique()[:WARM_UP_SERIES]
    small = train.loc[train["unique_id"].isin(few)]
    forecast(small, horizon)
    result: dict[str, object] = {
        "versions": {name: version(name) for name in ("mlforecast", "lightgbm", "pandas")}
    }
    if what == "forecast":
        found, result["seconds"], result["cpu"] = timed(lambda: forecast(train, horizon))
        found.to_parquet(out)
        result["rows"], result["bytes"] = len(found), int(found.memory_usage().sum())
    else:
        rounds = [timed(lambda: forecaster().preprocess(train)) for _ in range(ROUNDS_OF_FEATURES)]
        table = rounds[0][0]
        result["seconds"] = min(seconds for _, seconds, _ in rounds)
        result["cpu"] = min(cpu for _, _, cpu in rounds)
        result["rows"], result["columns"] = table.shape
        result["bytes"] = int(table.memory_usage().sum())
    print(json.dumps(result))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
