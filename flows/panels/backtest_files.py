"""Backtests for the command line: of the evidence panel, a panel file, or a panel in parts."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import mlflow
import pandas as pd

from flows.context.console import echo
from flows.context.output import write_result
from flows.context.provenance import git_commit
from flows.context.workspace import open_workspace
from flows.panels.cluster import PartsExecutor, open_executor
from flows.panels.panel_files import PanelFiles, forecaster_of, panel_snapshot, say_left_out
from flows.panels.part_files import score_part
from flows.panels.parted_panel import (
    GatheredParts,
    PartedForecast,
    gathered,
    opened,
    tell,
    train_at,
)
from flows.training.backtest import (
    CURVES,
    Scoreboard,
    backtest,
    compared,
    evidence_scoreboard,
    log_board,
    log_scoreboard,
    own_metrics,
    scoreboard_of,
    verdict,
    write_scoreboard,
)
from flows.training.predict import predict, trial_forecast
from models.evaluation.backtest import Backtest, backtest_panel
from models.evaluation.scores import board_of
from models.forecasting.forecaster import MODEL, REFERENCE
from models.forecasting.panel_snapshot import PanelSnapshot, check_cutoff
from models.learning.spec import EngineSpec, ModelSpec
from models.parts import BASELINES, bands_of, without_training_rows
from models.registry.runs import log_table, open_run
from models.statistical import pretrained
from sources.files.dates import read_period
from store.errors import DataError
from store.frequency import MONTHLY, Frequency
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
    """Backtest any panel at given cutoffs, log the scores to MLflow and write its files.

    A panel that is a folder of parts is worked through part by part.

    Raises:
        DataError: The panel, what goes with it or a cutoff cannot be used.
    """
    if not cutoffs:
        raise DataError(
            "--cutoffs is missing. Expected last known periods, e.g. --cutoffs 2022-06,2022-12."
        )
    if files.panel.is_dir():
        replay_parts(settings, files, horizon=horizon, cutoffs=cutoffs, out=out, spec=spec)
        return
    snapshot = panel_snapshot(settings, files, horizon)
    frequency = snapshot.frequency
    past = _periods(cutoffs, frequency)
    forecaster = forecaster_of(settings, spec)
    with open_executor(settings) as executor:
        result = backtest_panel(forecaster, snapshot, past, executor=executor)
    say_left_out(set(snapshot.series) - set(result.forecasts["destination"]))
    board = None
    if len(result.scores):
        echo(f"backtest  {verdict(result, frequency)}")
        board = scoreboard_of(result, snapshot.table, frequency=frequency)
        with _logged(settings, files, snapshot, past, spec=forecaster.spec):
            mlflow.log_metrics(own_metrics(result.scores.loc[result.scores["scope"] == ALL]))
            log_scoreboard(board, pictures=settings.pictures)
    if out is not None:
        status = pretrained.marked(REPLAYED, is_used=bool(forecaster.spec.pretrained))
        write_files(result, board, out, frequency, status=status)


@contextmanager
def _logged(
    settings: Settings,
    files: PanelFiles,
    known: PanelSnapshot | GatheredParts,
    cutoffs: Sequence[int],
    *,
    spec: EngineSpec,
) -> Iterator[None]:
    """Open the MLflow run of a panel's backtest; neither the panel nor its forecasts go there."""
    tags = {
        "flow": "backtest-panel",
        "panel": files.panel.name,
        "cutoffs": ",".join(known.frequency.label(cutoff) for cutoff in cutoffs),
        "horizon": str(known.horizon),
        "frequency": known.frequency.alias,
        "spec": spec.digest,
        "git_commit": git_commit(),
        **pretrained.tags(is_used=bool(spec.pretrained)),
    }
    with open_run(settings, name=f"backtest {files.panel.name}", tags=tags):
        mlflow.log_params(spec.choices)
        yield


def write_files(
    result: Backtest,
    board: Scoreboard | None,
    folder: Path,
    frequency: Frequency = MONTHLY,
    *,
    status: str = REPLAYED,
) -> None:
    """Write what a backtest found; without a scored month only forecasts and empty scores.

    Args:
        result: The backtest.
        board: Its scoreboard: ``scoreboard.csv``, ``differences.csv`` and plots.
        folder: Where ``forecasts.csv`` (the product's own), ``scores.json`` (all models) and the
            scoreboard's files go; made when absent.
        frequency: Of the periods.
        status: Of the forecasts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    forecasts = result.own_forecasts(status=status, frequency=frequency)
    write_result(forecasts, out=folder / "forecasts.csv", form="csv")
    scores = result.scores.to_dict(orient="records")
    (folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    echo(f"wrote {folder / 'forecasts.csv'} and {folder / 'scores.json'}")
    if board is not None:
        echo(f"wrote beside them {', '.join(write_scoreboard(board, folder))}")


def predict_evidence(
    settings: Settings, as_of: pd.Timestamp, spec: ModelSpec | None = None
) -> pd.DataFrame:
    """Return the forecast of an as_of in the columns of a forecast file.

    Args:
        settings: Where things are kept.
        as_of: The moment to forecast at.
        spec: A recipe that is to be trained at the moment, whoever is champion.
    """
    made = predict(settings, as_of) if spec is None else trial_forecast(settings, as_of, spec)
    return made.table[list(FORECAST_COLUMNS)]


def _periods(cutoffs: str, frequency: Frequency) -> list[int]:
    try:
        return sorted({read_period(text, frequency) for text in cutoffs.split(",")})
    except ValueError as err:
        raise DataError(
            f"--cutoffs {cutoffs!r} has a {frequency.period} that cannot be read ({err}). "
            f"Expected {frequency.form},{frequency.form}. Correct it."
        ) from err


FORECASTS: Final = "forecasts"
BOARD: Final = "scoreboard.csv"


def replay_parts(
    settings: Settings,
    files: PanelFiles,
    *,
    horizon: int | None,
    cutoffs: str,
    out: Path | None,
    spec: EngineSpec | None = None,
) -> None:
    """Backtest a panel in parts at given cutoffs, log the scores to MLflow and write its files.

    The folder gets ``forecasts/CUTOFF/PART`` and, if a month can be scored, ``scoreboard.csv``. It
    is there only when it is whole.

    Raises:
        DataError: The panel, what goes with it, a cutoff or the folder cannot be used.
    """
    with opened(settings, files, horizon=horizon, out=out, spec=spec) as job:
        with open_executor(settings) as executor:
            panel = gathered(job, executor)
            past = _periods(cutoffs, panel.frequency)
            totals = _scored(job, executor, panel, past)
        if len(totals):
            _record(settings, files, job, panel, totals=totals, cutoffs=past)
    echo(f"wrote {FORECASTS}{f' and {BOARD}' if len(totals) else ''} to {out}")


def _scored(
    job: PartedForecast, executor: PartsExecutor, panel: GatheredParts, cutoffs: Sequence[int]
) -> pd.DataFrame:
    """Return the totals of all parts and cutoffs, and write the forecasts."""
    span = panel.span
    for cutoff in cutoffs:
        check_cutoff(cutoff, first=span.first, final=span.last, frequency=span.frequency)
    return pd.concat([_scored_at(job, executor, panel, cutoff) for cutoff in cutoffs])


def _scored_at(
    job: PartedForecast, executor: PartsExecutor, panel: GatheredParts, cutoff: int
) -> pd.DataFrame:
    known = replace(panel.span, last=cutoff)
    engine, common = train_at(job, executor, panel, known)
    score = partial(
        score_part,
        span=panel.span,
        known=known,
        engine=without_training_rows(engine),
        common=common,
        bands=bands_of(engine, BASELINES),
        out=job.made / FORECASTS / known.frequency.label(cutoff),
    )
    found = list(executor.map(score, panel.sound, f"parts at {known.frequency.label(cutoff)}"))
    tell(sum(one[0] for one in found), (name for one in found for name in one[1]))
    return pd.concat([one[2] for one in found])


def _record(
    settings: Settings,
    files: PanelFiles,
    job: PartedForecast,
    panel: GatheredParts,
    *,
    totals: pd.DataFrame,
    cutoffs: Sequence[int],
) -> None:
    """Say how good it was and keep that beside the forecasts and in MLflow."""
    board = board_of(totals)
    write_result(board, out=job.made / BOARD, form="csv")
    near = board_of(totals.loc[totals["horizon"] <= panel.frequency.horizon])
    total = near.loc[near["kind"] == "all"].set_index("model")
    whole: dict[str, dict[str, float]] = total[list(CURVES)].to_dict("index")  # type: ignore[assignment]
    own = whole[MODEL]
    naive = whole[REFERENCE]["wape"]
    cells = int(total["cells"].to_dict()[MODEL])
    echo(f"backtest  {compared(own['wape'], naive, own['coverage80'], cells, panel.frequency)}")
    with _logged(settings, files, panel, cutoffs, spec=job.spec):
        mlflow.log_metrics(
            {f"{name}_{ALL}": value for name, value in own.items() if pd.notna(value)}
        )
        log_board(board)
        log_table(board, BOARD)
