"""Backtests for the command line: of the evidence panel, or of a panel file."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import mlflow
import pandas as pd

from flows.context.console import echo, track
from flows.context.output import write_result
from flows.context.provenance import git_commit
from flows.context.workspace import open_workspace
from flows.panels.panel_files import PanelFiles, forecaster_of, panel_snapshot, say_left_out
from flows.training.backtest import (
    CELLS,
    Scoreboard,
    backtest,
    evidence_scoreboard,
    log_scoreboard,
    own_metrics,
    scoreboard_of,
    verdict,
    write_scoreboard,
)
from flows.training.predict import predict, trial_forecast
from models.evaluation.backtest import Backtest, backtest_panel
from models.executor import LocalExecutor
from models.forecasting.forecaster import MODEL
from models.forecasting.panel_forecaster import PanelSnapshot
from models.learning.spec import EngineSpec, ModelSpec
from models.registry.runs import log_months, open_run
from models.statistical import pretrained
from sources.files.panel import months_in, read_month, read_rows
from store.errors import DataError
from store.months import month_label, month_starts
from store.settings import Settings
from store.vocabulary import ALL, FORECAST_COLUMNS

REPLAYED: Final = "backtest"
"""Status of forecasts from past cutoffs."""


def replay_evidence(
    settings: Settings, as_of: pd.Timestamp, *, out: Path | None, spec: ModelSpec | None = None
) -> None:
    """Backtest the evidence panel and write its files if a folder is given."""
    result = backtest(settings, as_of, spec)
    if out is not None:
        scored = len(result.scores) > 0
        workspace = open_workspace(settings, as_of)
        write_files(result, evidence_scoreboard(workspace, result) if scored else None, out)


def replay_panel(
    settings: Settings,
    files: PanelFiles,
    *,
    horizon: int | None,
    cutoffs: str | None,
    out: Path | None,
    spec: EngineSpec | None = None,
) -> None:
    """Backtest any panel at given cutoffs, log the scores to MLflow and write its files."""
    if not cutoffs:
        raise DataError(
            "--cutoffs is missing. Expected last known periods, e.g. --cutoffs 2022-06,2022-12."
        )
    snapshot = panel_snapshot(files, horizon)
    past = _periods(cutoffs)
    forecaster = forecaster_of(settings, spec)
    truth = published_months(files, snapshot.months)
    result = backtest_panel(forecaster, snapshot, past, truth=truth, executor=LocalExecutor(track))
    say_left_out(set(snapshot.series) - set(result.forecasts["destination"]))
    board = None
    if len(result.scores):
        echo(f"backtest  {verdict(result)}")
        board = scoreboard_of(result, snapshot.table)
        with _logged(settings, files, snapshot, past, spec=forecaster.spec):
            mlflow.log_metrics(own_metrics(result.scores.loc[result.scores["scope"] == ALL]))
            log_scoreboard(board, pictures=settings.pictures)
    if out is not None:
        status = pretrained.marked(REPLAYED, is_used=bool(forecaster.spec.pretrained))
        write_files(result, board, out, status=status)


def published_months(files: PanelFiles, months: pd.DataFrame) -> pd.DataFrame:
    """Return the months to score on: where a panel tells their kind, those not estimated."""
    rows = read_rows(files.panel, "Panel", given=files.options.columns)
    if "kind" not in rows:
        return months
    rows = rows.loc[rows["kind"].eq("estimated")]
    numbers, _ = months_in(rows["period"], rows["destination"], str(files.panel))
    estimated = pd.MultiIndex.from_arrays([rows["destination"], month_starts(numbers)])
    is_estimated = pd.MultiIndex.from_frame(months[["destination", "period"]]).isin(estimated)
    if is_estimated.any():
        echo(f"backtest  {is_estimated.sum():,} estimated months are not scored on")
    return months.loc[~is_estimated]


@contextmanager
def _logged(
    settings: Settings,
    files: PanelFiles,
    known: PanelSnapshot,
    cutoffs: Sequence[int],
    *,
    spec: EngineSpec,
) -> Iterator[None]:
    """Open the MLflow run of a panel's backtest; of the panel its digest and schema go there."""
    tags = {
        "flow": "backtest-panel",
        "panel": files.panel.name,
        "cutoffs": ",".join(month_label(cutoff) for cutoff in cutoffs),
        "horizon": str(known.horizon),
        "spec": spec.digest,
        "git_commit": git_commit(),
        **pretrained.tags(is_used=bool(spec.pretrained)),
    }
    with open_run(settings, name=f"backtest {files.panel.name}", tags=tags):
        mlflow.log_params(spec.choices)
        log_months(known.months, files.panel.name, source=str(files.panel))
        yield


def write_files(
    result: Backtest,
    board: Scoreboard | None,
    folder: Path,
    *,
    status: str = REPLAYED,
) -> None:
    """Write what a backtest found; without a scored month only forecasts and empty scores.

    Args:
        board: Its scoreboard: ``scoreboard.csv``, ``differences.csv`` and plots.
        folder: Where ``forecasts.csv`` (the product's own), ``cells.csv`` (those of known months
            with the figures they are scored on), ``scores.json`` (all models) and the scoreboard's
            files go; made when absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    forecasts = result.own_forecasts(status=status)
    write_result(forecasts, out=folder / "forecasts.csv", form="csv")
    scores = result.scores.to_dict(orient="records")
    (folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    cells = result.cells
    if len(cells):
        write_result(cells.loc[cells["model"].eq(MODEL)], out=folder / CELLS, form="csv")
    echo(f"wrote {folder / 'forecasts.csv'}, {CELLS} and scores.json")
    if board is not None:
        echo(f"wrote beside them {', '.join(write_scoreboard(board, folder))}")


def predict_evidence(
    settings: Settings, as_of: pd.Timestamp, spec: ModelSpec | None = None
) -> pd.DataFrame:
    """Return the forecast of an as_of in the columns of a forecast file."""
    made = predict(settings, as_of) if spec is None else trial_forecast(settings, as_of, spec)
    return made.table[list(FORECAST_COLUMNS)]


def _periods(cutoffs: str) -> list[int]:
    try:
        return sorted({read_month(text) for text in cutoffs.split(",")})
    except ValueError as err:
        raise DataError(
            f"--cutoffs {cutoffs!r} has a month that cannot be read ({err}). "
            "Expected YYYY-MM,YYYY-MM. Correct it."
        ) from err
