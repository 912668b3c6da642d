"""Forecast and replay full partner tables with the engine."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from features.panel.partner_table import PartnerTable
from models.engine.baselines import LAST_VALUE
from models.engine.spec import EngineSpec
from models.evaluation.backtest import (
    Backtest,
    Progress,
    forecast_file,
    scale_rows,
    scored,
    untracked,
)
from models.evaluation.scores import REFERENCE
from models.forecasting.any_panel import PanelTask, known_months, predict_panel, said_at
from models.forecasting.rolling import MODEL, ResidualHistory
from models.reconciliation.tree import add_sums, tree_of

COMPARED: Final = (REFERENCE, LAST_VALUE)
"""What the product is measured against."""


def task_of(table: PartnerTable, spec: EngineSpec) -> PanelTask:
    """Return what to forecast of a partner table: all destinations, and their sums."""
    tree = tree_of(table.parts, table.tonnes.index)
    return PanelTask(add_sums(table.tonnes, tree), table.horizon, spec, None, tree)


def forecast_table(table: PartnerTable, spec: EngineSpec, *, status: str) -> pd.DataFrame:
    """Return the coherent forecast of a table in the columns of a forecast file."""
    parts = list(predict_panel(task_of(table, spec)))
    whole = pd.concat(parts, ignore_index=True)
    return forecast_file(whole.assign(model=MODEL), status=status)


def backtest_tables(
    past: Sequence[PartnerTable],
    now: PartnerTable,
    spec: EngineSpec,
    *,
    track: Progress = untracked,
) -> Backtest:
    """Return how forecasts from tables as they were known then turned out by what is known now."""
    said, scales = [], []
    for table in track(past, "past tables"):
        task = task_of(table, spec)
        said.append(said_at(task, table.cutoff, COMPARED))
        tonnes = task.table.to_numpy(dtype=float)
        scales.append(scale_rows(task.table.index, table.cutoff, tonnes))
    if not said:
        return Backtest(pd.DataFrame(), pd.DataFrame(), pd.DataFrame(), ResidualHistory())
    truth = known_months(task_of(now, spec).table)
    return scored_table(pd.concat(said, ignore_index=True), truth, pd.concat(scales))


def scored_table(said: pd.DataFrame, truth: pd.DataFrame, scales: pd.DataFrame) -> Backtest:
    """Return the backtest of tables; where nothing was shipped, an error is no share of it.

    Args:
        said: Rows as ``models.forecasting.any_panel.said_at``; not modified.
        truth: destination, period, tonnes; not modified.
        scales: Rows as ``models.evaluation.backtest.scale_rows``, any index; not modified.
    """
    found = scored(said, truth, scales.reset_index(drop=True))
    return replace(found, scores=found.scores.loc[np.isfinite(found.scores["value"])])


def history_of(table: PartnerTable) -> pd.DataFrame:
    """Return destination, period, tonnes of every known month, sums added up."""
    task = task_of(table, EngineSpec())
    return known_months(task.table).dropna(subset=["tonnes"]).reset_index(drop=True)
