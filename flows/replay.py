"""Backtests and forecasts for the command line: of the evidence panel and of any panel file."""

import json
from pathlib import Path

import pandas as pd

from features.history import TableHistory
from features.months import month_label, month_number
from flows.backtest import backtest, evidence_scoreboard, record_panel, verdict
from flows.console import say
from flows.output import write_result
from flows.predict import predict
from flows.scoreboard import Scoreboard, scoreboard_of, write_scoreboard
from flows.workspace import open_workspace
from models.backtest import Backtest, Track, forecast_file, replay_table, walk_to
from models.rolling import Memory
from models.spec import ModelSpec
from sources.panel_file import Panel, read_panel
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


def replay_panel(
    settings: Settings,
    path: Path,
    *,
    horizon: int,
    cutoffs: str | None,
    out: Path | None,
    track: Track,
) -> None:
    """Backtest any panel at given cutoffs, log the scores to MLflow and write its files.

    Raises:
        DataError: The panel or a cutoff cannot be used.
    """
    _check_horizon(horizon)
    months = _months(cutoffs)
    table = _told(read_panel(path)).table
    spec = ModelSpec(threads=settings.threads)
    result = replay_table(table, months, horizon=horizon, spec=spec, track=track)
    _tell_left_out(table, result.forecasts)
    board = None
    if len(result.scores):
        say(f"backtest  {verdict(result)}")
        board = scoreboard_of(result, table, seed=spec.seed)
        labels = [month_label(month) for month in months]
        record_panel(settings, result, board, path=path, cutoffs=labels, horizon=horizon, spec=spec)
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


def predict_panel(settings: Settings, path: Path, *, horizon: int) -> pd.DataFrame:
    """Return the forecast of the months after a panel.

    Raises:
        DataError: The panel cannot be used.
    """
    _check_horizon(horizon)
    table = _told(read_panel(path)).table
    cutoff = int(table.columns[-1])
    history = TableHistory(table, horizon=horizon)
    spec = ModelSpec(threads=settings.threads)
    step = walk_to(history, cutoff, spec=spec, memory=Memory())[-1]
    _tell_left_out(table, step.forecasts)
    return forecast_file(step.forecasts.assign(cutoff=month_label(cutoff)), status="panel")


def _check_horizon(horizon: int) -> None:
    if horizon < 1:
        raise DataError(
            f"--horizon {horizon} is no number of months. Expected 1 or more. Take another."
        )


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
    left_out = sorted(set(table.index) - set(forecasts["destination"]))
    if left_out:
        say(f"no value in the year before the cutoff, not forecast: {first_few(left_out)}")
