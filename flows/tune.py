"""Search for better parameters of the magnets' model, with each trial recorded."""

import json
from pathlib import Path

import mlflow
import pandas as pd

from flows.context.console import echo, track
from flows.context.output import write_text
from flows.context.workspace import open_workspace
from flows.training.backtest_records import made_tags
from models.evaluation.backtest import backtest_evidence
from models.evaluation.compare import model_cells
from models.evaluation.tuning import HELD_OUT, TuningResult, tune
from models.learning.parameters import FORMAT, ModelParameters, search_values
from models.registry.runs import log_table, open_run
from store.errors import DataError
from store.settings import Settings


def tune_magnets(
    settings: Settings,
    as_of: pd.Timestamp,
    trials: int,
    start: ModelParameters,
    *,
    out: Path | None,
) -> None:
    """Search better parameters by backtests before the last year, and write the best as JSON."""
    if trials < 1:
        raise DataError(f"--tune {trials} is too small. Expected at least 1 trial. Correct it.")
    workspace = open_workspace(settings, as_of, parameters=start)
    tags = made_tags(workspace)

    def backtested(parameters: ModelParameters) -> pd.DataFrame:
        executor = workspace.executor
        backtest = backtest_evidence(
            workspace.history, as_of, parameters=parameters, executor=executor
        )
        return model_cells(backtest.cells)

    def tell(number: int, tried: ModelParameters, ratio: float) -> None:
        of_trial = {**tags, "flow": "trial", "spec": tried.digest}
        with open_run(settings, name=f"trial {number}", tags=of_trial):
            mlflow.log_params(search_values(tried))
            mlflow.log_metrics({"ratio": ratio})

    with open_run(settings, name="tune", tags={**tags, "flow": "tune", "spec": start.digest}):
        result = tune(backtested, as_of, trials=trials, parameters=start, track=track, tell=tell)
        text = json.dumps(report_of(result, as_of), indent=1) + "\n"
        mlflow.log_params(
            {**result.parameters.by_name, "trials": trials, "best_trial": result.best}
        )
        mlflow.log_metrics({"searched": result.searched, "held_out": result.held_out})
        log_table(result.trials, "trials.csv")
        log_table(result.leads.reset_index(), "leads.csv")
        mlflow.log_text(text, "parameters.json")
    _tell(result)
    write_text(text, out=out)
    if out is not None:
        echo(f"wrote {out}")


def report_of(result: TuningResult, as_of: pd.Timestamp) -> dict[str, object]:
    """The best parameters as a parameter file, with their errors under ``found``."""
    parameters = result.parameters
    searched = {
        "digest": parameters.digest,
        "untuned_digest": result.untuned.digest,
        "changed": {name: list(pair) for name, pair in result.changed.items()},
        "trials": len(result.trials),
        "best_trial": result.best,
        "searched": round(result.searched, 4),
        "held_out": round(result.held_out, 4),
        "held_out_from": f"{as_of - HELD_OUT:%Y-%m-%d}",
    }
    file = {"format": FORMAT, "model": parameters.model, "parameters": parameters.changed}
    return {**file, "found": searched}


def _tell(result: TuningResult) -> None:
    for name, (old, new) in result.changed.items():
        echo(f"tune      {name}: {old:g} -> {new:g}")
    if not result.changed:
        echo(f"tune      none of {len(result.trials)} trials beat the present parameters")
        return
    word = "holds" if result.held_out < 1 else "DOES NOT HOLD"
    echo(
        f"tune      trial {result.best} of {len(result.trials)}: errors x {result.searched:.3f}; "
        f"the gain {word} at the held-out origins: x {result.held_out:.3f}"
    )
    for row in result.leads.itertuples():
        echo(
            f"tune      lead {row.Index}, held out: loss {row.sql:.2f} ({row.sql_untuned:.2f} "
            f"before), bias {row.bias:+.0%} ({row.bias_untuned:+.0%}), 80% band covered "
            f"{row.coverage80:.0%} ({row.coverage80_untuned:.0%})"
        )
