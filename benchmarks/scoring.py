"""Scores as the panels' protocol has them, made apart from the product's own.

MASE and SQL (mean quantile loss at 0.1, 0.5 and 0.9, times two) are in units of the mean absolute
difference to the year before up to the cutoff; a series without any is left out of every score.
"""

import pandas as pd

from store.months import month_number

LEVELS = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
CELL = ["cutoff", "destination", "period"]
FORECAST = ["model", *CELL, *LEVELS]
SEASON = 12


def shared(forecasts: pd.DataFrame) -> pd.DataFrame:
    models = forecasts.groupby(CELL)["model"].transform("nunique")
    return forecasts.loc[models == forecasts["model"].nunique()]


def measured(truth: pd.DataFrame, forecasts: pd.DataFrame) -> pd.DataFrame:
    """Return forecasts with tonnes, scale, horizon and errors, by model and cell.

    Args:
        truth: destination, period (YYYY-MM), tonnes: the whole panel.
        forecasts: ``FORECAST``; not modified.
    """
    scales = pd.concat([scale_of(truth, cutoff) for cutoff in forecasts["cutoff"].unique()])
    cells = forecasts.merge(truth, on=["destination", "period"], validate="many_to_one")
    cells = cells.merge(scales, on=["destination", "cutoff"], validate="many_to_one")
    cells = cells.loc[cells["scale"] > 0].reset_index(drop=True)
    error = (cells["tonnes"] - cells["p50"]).abs()
    size = (cells["tonnes"].abs() + cells["p50"].abs()) / 2.0
    losses = [quantile_loss(cells["tonnes"] - cells[name], LEVELS[name]) for name in LEVELS]
    return cells.assign(
        horizon=months_of(cells["period"]) - months_of(cells["cutoff"]),
        absolute_error=error,
        scaled_error=error / cells["scale"],
        scaled_quantile_loss=pd.concat(losses, axis=1).mean(axis=1) / cells["scale"],
        symmetric_error=100.0 * (error / size.where(size > 0)).fillna(0.0),
        is_covered=cells["tonnes"].between(cells["p10"], cells["p90"]),
        is_below=cells["tonnes"] < cells["p10"],
        is_above=cells["tonnes"] > cells["p90"],
    )


def scale_of(truth: pd.DataFrame, cutoff: str) -> pd.DataFrame:
    """Return the mean absolute difference to the year before of each series up to a cutoff."""
    known = truth.loc[truth["period"] <= cutoff]
    wide = known.pivot_table(index="destination", columns="period", values="tonnes")
    scale = wide.diff(SEASON, axis=1).abs().mean(axis=1)
    return scale.rename("scale").reset_index().assign(cutoff=cutoff)


def quantile_loss(gap: "pd.Series[float]", level: float) -> "pd.Series[float]":
    return 2.0 * (level * gap.clip(lower=0.0) - (1.0 - level) * gap.clip(upper=0.0))


def months_of(labels: "pd.Series[str]") -> "pd.Series[int]":
    numbers = {label: month_number(label) for label in labels.unique()}
    return labels.map(numbers).astype(int)


def scores_of(cells: pd.DataFrame) -> pd.DataFrame:
    """Return mase, sql, wape, smape (percent), shares covered, below and above the 80% band, and
    cells by model, least mase first."""
    groups = cells.groupby("model")
    found = pd.DataFrame(
        {
            "mase": groups["scaled_error"].mean(),
            "sql": groups["scaled_quantile_loss"].mean(),
            "wape": groups["absolute_error"].sum() / groups["tonnes"].sum(),
            "smape": groups["symmetric_error"].mean(),
            "covered": groups["is_covered"].mean(),
            "below": groups["is_below"].mean(),
            "above": groups["is_above"].mean(),
            "cells": groups.size(),
        }
    )
    return found.sort_values("mase")


def heaviest(cells: pd.DataFrame) -> tuple[str, str, "pd.Series[float]"]:
    """Return the series and cutoff that weigh most in MASE, and their share of it by model."""
    sums = cells.pivot_table(
        index=["destination", "cutoff"], columns="model", values="scaled_error", aggfunc="sum"
    )
    share = sums / sums.sum()
    name, cutoff = share.mean(axis=1).idxmax()
    return str(name), str(cutoff), share.loc[(name, cutoff)]
