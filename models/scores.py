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

CUTS: Final = ("horizon", "destination", "regime", "cutoff")
"""Columns of cells that a scoreboard is cut by."""

SCOREBOARD_COLUMNS: Final = (
    "model", "kind", "value", "wape", "mase", "sql", "smape", "coverage80", "cells",
)  # fmt: skip


def cell_scores(forecasts: pd.DataFrame, truth: pd.DataFrame, scale: pd.DataFrame) -> pd.DataFrame:
    """Return the errors of each forecast cell.

    Args:
        forecasts: model, destination, cutoff, period, horizon and the quantiles; not modified.
        truth: destination, period, tonnes: the months to score on; those without tonnes are none.
        scale: destination, cutoff, scale: mean absolute seasonal difference up to the cutoff, in
            tonnes.

    Returns:
        The forecasts of months in ``truth``, with tonnes, absolute_error, scaled_error,
        scaled_quantile_loss, is_covered (within p10 and p90). Scaled numbers are NaN where the
        scale is 0 or unknown.
    """
    known = truth.dropna(subset=["tonnes"])
    cells = forecasts.merge(known, on=["destination", "period"], validate="many_to_one")
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


def scoreboard(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of each model over all cells, whatever their horizon, and by each cut.

    Args:
        cells: As ``cell_scores`` returns; with ``regime`` (``models.regimes``), else without that
            cut. Not modified.

    Returns:
        One row per model, kind (``all`` or one of ``CUTS``) and value (the horizon, destination,
        regime or cutoff, as text; ``all`` for all), models in order of name within a value. wape
        (sum of absolute errors over sum of tonnes), mase and sql (means of the scaled errors and
        quantile losses; cells without a scale left out), smape (mean of 2 |error| / (|tonnes| +
        |median|), 0 where both are 0; a share, so a hundredth of M3's figure), coverage80 and the
        number of cells. NaN where there is nothing to divide by.
    """
    size = (cells["tonnes"].abs() + cells["p50"].abs()) / 2.0
    symmetric = (cells["absolute_error"] / size.where(size > 0)).mask(size == 0, 0.0)
    counted = cells.assign(symmetric_error=symmetric)
    everything = _cut(counted.assign(all="all"), "all")
    parts = [_cut(counted, kind) for kind in CUTS if kind in cells]
    return pd.concat([everything, *parts], ignore_index=True)[list(SCOREBOARD_COLUMNS)]


def _cut(cells: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the scores of each model by the values of one column, in their order."""
    groups = cells.groupby([kind, "model"], sort=True, observed=True)
    tonnes = groups["tonnes"].sum()
    table = pd.DataFrame(
        {
            "wape": groups["absolute_error"].sum() / tonnes.where(tonnes > 0),
            "mase": groups["scaled_error"].mean(),
            "sql": groups["scaled_quantile_loss"].mean(),
            "smape": groups["symmetric_error"].mean(),
            "coverage80": groups["is_covered"].mean(),
            "cells": groups.size(),
        }
    ).reset_index()
    return table.assign(kind=kind, value=table[kind].astype(str))


def hit_rates(cells: pd.DataFrame, model: str) -> pd.Series:
    """Return by destination how often a known month lay within a model's p10 and p90."""
    own = cells.loc[cells["model"] == model]
    return own.groupby("destination")["is_covered"].mean()
