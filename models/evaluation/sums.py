"""Past forecasts of three months taken together, scored like those of months.

The band of a sum comes from joint paths (``models.forecasting.joint_paths``); how errors go
together is measured here.
"""

from typing import Final

import numpy as np
import pandas as pd
from scipy.special import ndtri

from models.evaluation.scores import FEWEST_PAIRS, OUTERMOST, carry_over, origin_column
from models.forecasting.joint_paths import ErrorCopula, quantiles_of_sums
from models.policy.drawing import ranks_within
from store.vocabulary import AGGREGATES, QUANTILE_COLUMNS

SPAN: Final = 3
"""Months of a sum: a quarter, and what headlines speak of."""

PATHS: Final = 1_000
"""Of each scored sum."""


def error_copula(cells: pd.DataFrame) -> ErrorCopula:
    """Return how errors of months and destinations went together; the usual where few are known.

    Args:
        cells: destination, cutoff, period, horizon, tonnes and the quantiles, of one model; not
            modified.
    """
    usual = ErrorCopula()
    (carry, _), (share, _) = carry_over(cells), together(cells)
    return ErrorCopula(
        usual.carry if np.isnan(carry) else carry,
        usual.together if np.isnan(share) else share,
    )


def together(cells: pd.DataFrame) -> tuple[float, int]:
    """Return the correlation of two destinations' errors in one month, and the number of pairs.

    Sums of destinations are left out.

    Args:
        cells: As ``error_copula``.

    Returns:
        Correlation, 0 to 1, NaN where there are too few pairs.
    """
    cells = cells.loc[~cells["destination"].isin(list(AGGREGATES))]
    at = ranks_within(
        cells[list(QUANTILE_COLUMNS)].to_numpy(float), cells["tonnes"].to_numpy(float)
    )
    score = pd.Series(ndtri(np.clip(at, OUTERMOST, 1.0 - OUTERMOST)), index=cells.index)
    months = score.groupby([cells[origin_column(cells)], cells["period"]])
    count = months.size()
    pairs = int((count * (count - 1)).sum()) // 2
    if pairs < FEWEST_PAIRS:
        return float("nan"), pairs
    # The square of a sum holds every pair twice, and each square once.
    products = float((months.sum() ** 2).sum() - (score**2).sum()) / 2.0
    return float(np.clip(products / pairs / float((score**2).mean()), 0.0, 1.0)), pairs


def sum_cells(cells: pd.DataFrame, carry: float) -> pd.DataFrame:
    """Return forecasts of three months taken together beside what came.

    Args:
        cells: As ``models.evaluation.scores.cell_scores`` returns; not modified. Months 1-3, 4-6
            and so on are taken together where all three are scored.
        carry: Share of one month's error that carries into the next, 0 to 1.

    Returns:
        model, destination, the origin, horizon (of the last month), tonnes, quantiles, scale (of
        the three months), is_covered.
    """
    key = ["model", "destination", origin_column(cells), "window"]
    windows = cells.assign(window=(cells["horizon"] - 1) // SPAN)
    complete = windows.groupby(key)["horizon"].transform("size") == SPAN
    months = windows.loc[complete].sort_values([*key, "horizon"], kind="stable")
    found = months.groupby(key, sort=True).agg(
        horizon=("horizon", "max"), tonnes=("tonnes", "sum"), scale=("scale", "sum")
    )
    quantiles = months[list(QUANTILE_COLUMNS)].to_numpy(float)
    total = quantiles_of_sums(quantiles.reshape(-1, SPAN, len(QUANTILE_COLUMNS)), carry, PATHS)
    found = found.reset_index().drop(columns="window")
    found = found.assign(**dict(zip(QUANTILE_COLUMNS, total.T, strict=True)))
    return found.assign(is_covered=found["tonnes"].between(found["p10"], found["p90"]))
