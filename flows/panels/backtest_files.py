"""Backtests of panel files, and the files that a backtest writes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from flows.context.console import echo, track
from flows.context.output import write_result, write_text
from flows.context.provenance import git_commit
from flows.panels.forecast_files import against
from flows.panels.panel_files import PanelFiles, panel_snapshot, say_left_out
from flows.training.backtest_records import (
    CELLS,
    comparison_tables,
    log_backtest,
    run_name,
    verdict,
)
from models.evaluation.backtest import Backtest, backtest_panel
from models.executor import Executor
from models.forecasting.model_names import MODEL
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from models.learning.parameters import ModelParameters
from models.registry.runs import log_months, open_run
from sources.files.panel import Panel, read_month
from store.errors import DataError
from store.months import month_label, month_numbers
from store.settings import Settings

REPLAYED: Final = "backtest"
"""Status of forecasts made from past cutoffs."""


def replay_panel(
    settings: Settings,
    files: PanelFiles,
    *,
    horizon: int | None,
    cutoffs: str,
    out: Path | None,
    parameters: ModelParameters,
    others: Sequence[Path] = (),
) -> None:
    """Backtest any panel at given cutoffs, log the scores to MLflow and write its files."""
    panel, snapshot = panel_snapshot(files, horizon)
    past = _periods(cutoffs)
    forecaster = PanelForecaster(parameters, shifts_negative=files.allow_negative)
    truth = published_months(panel, snapshot.published_months)
    result = backtest_panel(forecaster, snapshot, past, truth=truth, executor=Executor(track))
    say_left_out(set(snapshot.series) - set(result.forecasts["destination"]))
    if len(result.scores):
        echo(f"backtest  {verdict(result)}")
        _record(settings, files, snapshot, cutoffs=past, result=result, parameters=parameters)
    if out is not None:
        write_files(result, out)
    if others:
        is_own = result.forecasts["model"] == MODEL
        table = against(files, result.forecasts.loc[is_own], others)
        write_result(table, out=out and out / "against.csv", form="csv" if out else "table")


def published_months(panel: Panel, months: pd.DataFrame) -> pd.DataFrame:
    """Months to score on: all but those that the panel marks as estimated."""
    cells = pd.MultiIndex.from_arrays([months["destination"], month_numbers(months["period"])])
    is_estimated = cells.isin(panel.estimated)
    if is_estimated.any():
        echo(f"backtest  {is_estimated.sum():,} estimated months are not scored on")
    return months.loc[~is_estimated]


def _record(
    settings: Settings,
    files: PanelFiles,
    snapshot: Snapshot,
    *,
    cutoffs: Sequence[int],
    result: Backtest,
    parameters: ModelParameters,
) -> None:
    name = Path(str(files.panel)).name
    tags = {
        "flow": "backtest-panel",
        "panel": name,
        "cutoffs": ",".join(month_label(cutoff) for cutoff in cutoffs),
        "horizon": str(snapshot.horizon),
        "spec": parameters.digest,
        "git_commit": git_commit(),
    }
    with open_run(settings, name=run_name("panel", name, parameters.changed_text), tags=tags):
        log_months(snapshot.published_months, name, source=str(files.panel))
        log_backtest(result, parameters)


def write_files(result: Backtest, folder: Path) -> None:
    """Write the tables of a backtest; without scored months only forecasts and empty scores.

    Args:
        folder: For ``forecasts.csv`` (of the product's model), ``cells.csv`` (of all models in
            known months, beside the actuals), ``scores.json`` (all models), ``scoreboard.csv`` and
            ``differences.csv``; created if absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"forecasts.csv": result.model_forecasts(status=REPLAYED)}
    if len(result.cells):
        tables[CELLS] = result.cells
        tables |= comparison_tables(result)
    for name, table in tables.items():
        write_result(table, out=folder / name, form="csv")
    scores = result.scores.to_dict(orient="records")
    write_text(json.dumps(scores, indent=1) + "\n", out=folder / "scores.json")
    echo(f"wrote {folder / 'forecasts.csv'}, {', '.join([*list(tables)[1:], 'scores.json'])}")


def _periods(cutoffs: str) -> list[int]:
    try:
        return sorted({read_month(text) for text in cutoffs.split(",")})
    except ValueError as err:
        raise DataError(
            f"--cutoffs {cutoffs!r} has a month that cannot be read ({err}). "
            "Expected YYYY-MM,YYYY-MM. Correct it."
        ) from err
