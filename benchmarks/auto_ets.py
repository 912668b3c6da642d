"""AutoETS of statsforecast with its own bands, in the environment of peers.txt; see magnets.py.

Usage: auto_ets.py PANELS.csv FORECASTS.csv; columns unique_id, ds, y in, and ds to p95 out. Imports
nothing of ours.
"""

import sys

import numpy as np
import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import AutoETS

HORIZON = 30
ENDINGS = {
    "p05": "-lo-90", "p10": "-lo-80", "p25": "-lo-50", "p50": "", "p75": "-hi-50",
    "p90": "-hi-80", "p95": "-hi-90",
}  # fmt: skip


def main() -> None:
    panels = pd.read_csv(sys.argv[1], parse_dates=["ds"])
    models = StatsForecast([AutoETS(season_length=12)], freq="MS", n_jobs=2)
    table = models.forecast(df=panels, h=HORIZON, level=[50, 80, 90]).reset_index()
    columns = {name: np.maximum(table[f"AutoETS{end}"], 0.0) for name, end in ENDINGS.items()}
    table[["unique_id", "ds"]].assign(**columns).to_csv(sys.argv[2], index=False)


if __name__ == "__main__":
    main()
