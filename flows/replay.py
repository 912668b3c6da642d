"""Backtests and forecasts for the command line: of the evidence panel and of any panel file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from features.months import month_label, month_number
from flows.backtest import backtest, evidence_scoreboard, record_panel, verdict
from flows.console import say
from flows.output import write_result
from flows.predict import predict
from flows.scoreboard import Scoreboard, scoreboard_of, write_scoreboard
from flows.workspace import open_workspace
from models.backtest import Backtest, Track, forecast_file
from models.engine.spec import EngineSpec
from models.panel import Task, backtest_panel, predict_panel
from models.rolling import MODEL
from models.tree import Tree, add_sums, contradictions, tree_of
from sources.covariates_file import read_covariates
from sources.panel_file import Panel, read_panel
from sources.tree_file import read_tree, tree_of_panel
from store.errors import DataError, first_few
from store.settings import Settings
from store.vocabulary import FORECAST_COLUMNS


def replay_evidence(settings: Settings, as_of: pd.Timestamp, *, out: Path | None) -> None:
    """Backtest the evidence panel and write its files if a folder is given."""
    result = backtest(settings, as_of)
    if out is not None:
        scored = len(result.scores) > 0
        workspace = open_workspace(settings, as_of)
        write_files(result, evidence_scoreboard(workspace, result) if scored else None, out)


@dataclass(frozen=True, slots=True)
class PanelFiles:
    """Where a panel and what goes with it lie."""

    panel: Path
    covariates: Path | None = None
    tree: Path | None = None


def replay_panel(
    settings: Settings,
    files: PanelFiles,
    *,
    horizon: int,
    cutoffs: str | None,
    out: Path | None,
    track: Track,
) -> None:
    """Backtest any panel at given cutoffs, log the scores to MLflow and write its files.

    Raises:
        DataError: The panel, what goes with it or a cutoff cannot be used.
    """
    months = _months(cutoffs)
    task = _task(settings, files, horizon)
    result = backtest_panel(task, months, track=track)
    _tell_left_out(task.table, result.forecasts)
    board = None
    if len(result.scores):
        say(f"backtest  {verdict(result)}")
        board = scoreboard_of(result, task.table, seed=task.spec.seed)
        labels = [month_label(month) for month in months]
        record_panel(settings, result, board, task=task, path=files.panel, cutoffs=labels)
    if out is not None:
        write_files(result, board, out)


def write_files(result: Backtest, board: Scoreboard | None, folder: Path) -> None:
    """Write what a backtest found; without a scored month only forecasts and empty scores.

    Args:
        result: The backtest.
        board: Its scoreboard: ``scoreboard.csv``, ``differences.csv`` and plots.
        folder: Where ``forecasts.csv`` (the product's own), ``scores.json`` (all models) and the
            scoreboard's files go; made when absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    forecasts = forecast_file(result.forecasts, status="backtest")
    write_result(forecasts, out=folder / "forecasts.csv", form="csv")
    scores = result.scores.to_dict(orient="records")
    (folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    say(f"wrote {folder / 'forecasts.csv'} and {folder / 'scores.json'}")
    if board is not None:
        say(f"wrote beside them {', '.join(write_scoreboard(board, folder))}")


def predict_evidence(settings: Settings, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the forecast of an as_of in the columns of a forecast file."""
    return predict(settings, as_of).table[list(FORECAST_COLUMNS)]


def forecast_panel(
    settings: Settings, files: PanelFiles, *, horizon: int, track: Track
) -> Iterator[pd.DataFrame]:
    """Yield the forecasts of the months after a panel, some series at a time.

    Raises:
        DataError: The panel or what goes with it cannot be used.
    """
    task = _task(settings, files, horizon)
    forecast: set[str] = set()
    for part in predict_panel(task, track=track):
        forecast |= set(part["destination"])
        yield forecast_file(part.assign(model=MODEL), status="panel")
    _say_left_out(set(task.table.index) - forecast)


def _task(settings: Settings, files: PanelFiles, horizon: int) -> Task:
    """Return what to forecast, read and told of."""
    if horizon < 1:
        raise DataError(
            f"--horizon {horizon} is no number of months. Expected 1 or more. Take another."
        )
    panel = _told(read_panel(files.panel))
    table, tree = _with_sums(panel, files)
    covariates = None
    if files.covariates is not None:
        covariates, filled = read_covariates(files.covariates, table=table).carried(table)
        for note in covariates.notes:
            say(f"covariates: {note}")
        if filled:
            say(f"covariates: {filled:,} months without trade take the value of the month before")
    spec = EngineSpec(threads=settings.threads)
    return Task(table, horizon, spec, covariates, tree)


def _with_sums(panel: Panel, files: PanelFiles) -> tuple[pd.DataFrame, Tree | None]:
    """Return the table with the sums of a tree, if a file or the panel itself tells of one."""
    table = panel.table
    if files.tree is not None:
        parts = read_tree(files.tree, list(table.index), left_out=panel.refused)
    elif panel.tree_rows is not None:
        rows = panel.tree_rows.rename_axis("destination").rename("part_of").reset_index()
        parts = tree_of_panel(rows, file=f"Panel {files.panel}") or {}
    else:
        parts = {}
    if not parts:
        return table, None
    tree = tree_of(parts, table.index)
    for gap in contradictions(table, tree):
        say(f"tree: {gap}")
    return add_sums(table, tree), tree


def _months(cutoffs: str | None) -> list[int]:
    if not cutoffs:
        raise DataError(
            "--cutoffs is missing. Expected last known months, e.g. --cutoffs 2022-06,2022-12."
        )
    try:
        months = {
            month_number(pd.Period(text.strip(), freq="M").to_timestamp())
            for text in cutoffs.split(",")
        }
    except ValueError as err:
        raise DataError(
            f"--cutoffs {cutoffs!r} has a month that cannot be read ({err}). "
            "Expected YYYY-MM,YYYY-MM. Correct it."
        ) from err
    return sorted(months)


def _told(panel: Panel) -> Panel:
    """Say which series of a panel file were refused and what else was noted of it."""
    for note in panel.notes:
        say(f"panel: {note}")
    if panel.refused:
        told = [f"{name}: {reason}" for name, reason in panel.refused.items()]
        say(f"panel: {len(told)} series refused, the others are forecast: {first_few(told)}")
    return panel


def _tell_left_out(table: pd.DataFrame, forecasts: pd.DataFrame) -> None:
    """Say which series were not forecast, having no value in the year before the cutoff."""
    _say_left_out(set(table.index) - set(forecasts["destination"]))


def _say_left_out(names: set[str]) -> None:
    if names:
        told = first_few(sorted(names))
        say(f"no value in the year before the cutoff, not forecast: {told}")
