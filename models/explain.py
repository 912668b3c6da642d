"""What moved a forecast most: exact contributions of the middle head's trees."""

import json
from collections.abc import Mapping
from typing import Final

import lightgbm as lgb
import numpy as np
import pandas as pd

TOP: Final = 3


def drivers(heads: Mapping[str, lgb.Booster], rows: pd.DataFrame, median: pd.Series) -> list[str]:
    """Return the three features that moved each forecast most away from its level, as JSON.

    Contributions are in log units; a feature's tonnes are what the median would lose without it.

    Args:
        heads: Boosters of the model.
        rows: Frame of the origin.
        median: Published p50 of each row, in tonnes.

    Returns:
        One JSON list of ``[feature, tonnes]`` a row, largest first.
    """
    names = heads["p50"].feature_name()
    matrix = np.ascontiguousarray(rows[names].to_numpy(dtype=float))
    share = np.asarray(heads["p50"].predict(matrix, pred_contrib=True))[:, :-1]
    tonnes = median.to_numpy()[:, None] * -np.expm1(-share)
    order = np.argsort(-np.abs(share), axis=1, kind="stable")[:, :TOP]
    return [
        json.dumps([[names[i], round(float(values[i]), 1)] for i in best])
        for best, values in zip(order, tonnes, strict=True)
    ]
