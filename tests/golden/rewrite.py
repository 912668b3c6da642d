"""A frozen small panel and what is scored on it; ``make golden`` rewrites the scores."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from models.evaluation.backtest import backtest_panel
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import PANEL_PRESET
from sources.files.panel import read_panel
from store.months import month_number, month_starts

FOLDER: Final = Path(__file__).parent
PANEL: Final = FOLDER / "panel.csv"
SCORES: Final = FOLDER / "scores.csv"

SPEC: Final = replace(PANEL_PRESET, num_iterations=40, min_data_in_leaf=30, threads=1)
CUTOFFS: Final = ("2021-06", "2021-12", "2022-06")
HORIZON: Final = 6
KEY: Final = ["model", "scope", "metric"]


def panel() -> pd.DataFrame:
    """Build five series over six years: one grows, one is hit, one ships now and then."""
    numbers = month_number("2017-01") + np.arange(72)
    age = np.arange(72)
    rng = np.random.default_rng(20250404)
    noise = np.exp(rng.normal(0, 0.08, (5, 72)))
    season = np.exp(0.2 * np.sin(2 * np.pi * age / 12))
    hit = np.where((age >= 40) & (age < 44), 0.2, 1.0)
    shipped = rng.random(72) < 0.4
    tonnes = noise * np.stack(
        [
            500 * season,
            80 * season * 1.015**age,
            300 * hit * season,
            40 * shipped,
            1_000 * np.ones(72),
        ]
    )
    frame = pd.DataFrame(
        {
            "destination": np.repeat(["steady", "growing", "hit", "rare", "flat"], 72),
            "period": np.tile(month_starts(numbers).strftime("%Y-%m"), 5),
            "tonnes": tonnes.round(1).ravel(),
        }
    )
    gap = (frame["destination"] == "flat") & frame["period"].between("2019-03", "2019-05")
    return frame.loc[~gap]


def scores() -> pd.DataFrame:
    """Return the scores of every model on the committed panel."""
    cutoffs = [month_number(month) for month in CUTOFFS]
    result = backtest_panel(
        PanelForecaster(SPEC), Snapshot.of_panel(read_panel(PANEL).table, HORIZON), cutoffs
    )
    table = result.scores[[*KEY, "cells", "value"]]
    return table.sort_values(KEY, ignore_index=True)


def main() -> None:
    """Write the scores, and the panel where there is none."""
    if not PANEL.exists():
        panel().to_csv(PANEL, index=False, lineterminator="\n")
    scores().to_csv(SCORES, index=False, lineterminator="\n", float_format="%.15g")


if __name__ == "__main__":
    main()
