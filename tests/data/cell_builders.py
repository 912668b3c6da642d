"""Cells of a backtest, as ``models.evaluation.scores.cell_scores`` returns them."""

import numpy as np
import pandas as pd

from models.evaluation.scores import cell_scores
from models.forecasting.model_names import MODEL
from store.vocabulary import QUANTILE_COLUMNS

WIDTH = (-0.33, -0.26, -0.13, 0.0, 0.13, 0.26, 0.33)
"""A calibrated band of noise of 20 percent."""


def make_cells(*, origins: int = 20, bias: float = 0.0, narrow: float = 1.0) -> pd.DataFrame:
    """Build cells of a backtest: six destinations, two horizons, noise of 20 percent."""
    rng = np.random.default_rng(3)
    rows = []
    for number in range(origins):
        cutoff = pd.Period("2022-01", freq="M") + number
        for destination in ("USA", "DEU", "JPN", "KOR", "ITA", "WLD"):
            for horizon in (1, 2):
                wide = {
                    name: 100.0 * (1.0 + bias) * (1.0 + narrow * step)
                    for name, step in zip(QUANTILE_COLUMNS, WIDTH, strict=True)
                }
                rows.append(
                    {
                        "model": MODEL, "as_of": pd.Timestamp(f"{cutoff + 1}-25", tz="UTC"),
                        "cutoff": str(cutoff), "destination": destination,
                        "period": (cutoff + horizon).to_timestamp(), "horizon": horizon,
                        **wide, "mean": 100.0 * (1.0 + bias),
                    }
                )  # fmt: skip
    result = pd.DataFrame(rows)
    truth = result[["destination", "period"]].drop_duplicates()
    truth = truth.assign(tonnes=100.0 * (1.0 + 0.2 * rng.normal(size=len(truth))))
    scale = result[["destination", "cutoff"]].drop_duplicates().assign(scale=20.0)
    return cell_scores(result, truth, scale)
