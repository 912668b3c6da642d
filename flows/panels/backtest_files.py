"""Backtests for the command line: of the evidence panel and of any panel file."""

import json
from pathlib import Path

import pandas as pd

from features.months import month_label, month_number
from flows.context.console import echo
from flows.context.output import write_result
from flows.context.workspace import open_workspace
from flows.panels.cluster import open_executor
from flows.panels.panel_files import PanelFiles, forecaster_of, panel_snapshot, say_left_out
from flows.panels.parted_backtest import replay_parts
from flows.training.backtest import (
    Scoreboard,
    backtest,
    evidence_scoreboard,
    record_panel,
    scoreboard_of,
    verdict,
    write_scoreboard,
)
from flows.training.predict import predict
from models.evaluation.backtest import Backtest, backtest_panel
from store.errors import DataError
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
    files: PanelFiles,
    *,
    horizon: int,
    cutoffs: str | None,
    out: Path | None,
) -> None:
    """Backtest any panel at given cutoffs, log the scores to MLflow and write its files.

    A panel that is a folder of parts is worked through part by part.

    Raises:
        DataError: The panel, what goes with it or a cutoff cannot be used.
    """
    months = _months(cutoffs)
    if files.panel.is_dir():
        replay_parts(settings, files, horizon=horizon, cutoffs=months, out=out)
        return
    snapshot, forecaster = panel_snapshot(settings, files, horizon), forecaster_of(settings)
    with open_executor(settings) as executor:
        result = backtest_panel(forecaster, snapshot, months, executor=executor)
    say_left_out(set(snapshot.series) - set(result.forecasts["destination"]))
    board = None
    if len(result.scores):
        echo(f"backtest  {verdict(result)}")
        board = scoreboard_of(result, snapshot.table, seed=forecaster.spec.seed)
        labels = [month_label(month) for month in months]
        record_panel(
            settings,
            result,
            board,
            horizon=horizon,
            spec=forecaster.spec,
            path=files.panel,
            cutoffs=labels,
        )
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
    forecasts = result.own_forecasts(status="backtest")
    write_result(forecasts, out=folder / "forecasts.csv", form="csv")
    scores = result.scores.to_dict(orient="records")
    (folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    echo(f"wrote {folder / 'forecasts.csv'} and {folder / 'scores.json'}")
    if board is not None:
        echo(f"wrote beside them {', '.join(write_scoreboard(board, folder))}")


def predict_evidence(settings: Settings, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the forecast of an as_of in the columns of a forecast file."""
    return predict(settings, as_of).table[list(FORECAST_COLUMNS)]


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
