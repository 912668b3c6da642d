"""How good forecasts were: errors of the median, of the quantiles and of the band.

All against known months.
"""

from typing import Final

import numpy as np
import pandas as pd

from store.vocabulary import QUANTILE_COLUMNS, QUANTILES

ALL: Final = "ALL"
"""Scope of a score over all destinations."""

REFERENCE: Final = "seasonal_naive"


def cell_scores(forecasts: pd.DataFrame, truth: pd.DataFrame, scale: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of each forecast cell.

    Args:
        forecasts: model, destination, cutoff, period, horizon and the quantiles; not modified.
        truth: destination, period, tonnes: the months to score on.
        scale: destination, cutoff, scale: mean absolute seasonal difference up to the cutoff, in
            tonnes.

    Returns:
        The forecasts of months in ``truth``, with tonnes, absolute_error, scaled_error,
        scaled_quantile_loss, is_covered (within p10 and p90). Scaled numbers are NaN where the
        scale is 0 or unknown.
    """
    cells = forecasts.merge(truth, on=["destination", "period"], validate="many_to_one")
    cells = cells.merge(scale, on=["destination", "cutoff"], how="left", validate="many_to_one")
    error = cells["tonnes"] - cells["p50"]
    size = cells["scale"].where(cells["scale"] > 0)
    loss = np.zeros(len(cells))
    for level, column in zip(QUANTILES, QUANTILE_COLUMNS, strict=True):
        gap = (cells["tonnes"] - cells[column]).to_numpy()
        loss += 2.0 * np.maximum(level * gap, (level - 1.0) * gap)
    return cells.assign(
        absolute_error=error.abs(),
        scaled_error=error.abs() / size,
        scaled_quantile_loss=loss / len(QUANTILES) / size,
        is_covered=cells["tonnes"].between(cells["p10"], cells["p90"]),
    )


def summarise(cells: pd.DataFrame, *, horizons: tuple[int, int]) -> pd.DataFrame:
    """Return scores by model, for each destination and for all.

    Args:
        cells: As ``cell_scores`` returns.
        horizons: First and last horizon to count.

    Returns:
        One row per model, scope and metric: wape, mase, sql, coverage80, value_added (1 - WAPE /
        WAPE of the seasonal naive on the same cells), with the number of cells.
    """
    low, high = horizons
    counted = cells.loc[cells["horizon"].between(low, high)]
    everything = counted.assign(scope=ALL)
    each = counted.assign(scope=counted["destination"])
    groups = pd.concat([everything, each]).groupby(["model", "scope"], sort=True)
    table = pd.DataFrame(
        {
            "wape": groups["absolute_error"].sum() / groups["tonnes"].sum(),
            "mase": groups["scaled_error"].mean(),
            "sql": groups["scaled_quantile_loss"].mean(),
            "coverage80": groups["is_covered"].mean(),
            "cells": groups.size(),
        }
    ).reset_index()
    naive = table.loc[table["model"] == REFERENCE].set_index("scope")["wape"]
    table["value_added"] = 1.0 - table["wape"] / table["scope"].map(naive)
    long = table.melt(["model", "scope", "cells"], var_name="metric", value_name="value")
    return long.assign(horizon_from=low, horizon_to=high).dropna(subset=["value"])


def hit_rates(cells: pd.DataFrame, model: str) -> pd.Series:
    """Return by destination how often a known month lay within a model's p10 and p90."""
    own = cells.loc[cells["model"] == model]
    return own.groupby("destination")["is_covered"].mean()
