"""Search for the parameters of the magnets' recipe, and keep what the search saw."""

import json
from pathlib import Path

import mlflow
import pandas as pd

from flows.context.console import echo, track
from flows.context.jobs import made_tags
from flows.context.output import write_text
from flows.context.workspace import open_workspace
from models.evaluation.backtest import backtest_evidence
from models.evaluation.compare import model_cells
from models.evaluation.tuning import HELD_OUT, TuningResult, tune
from models.learning.spec import FORMAT, Spec, sought
from models.registry.runs import log_table, open_run
from store.errors import DataError
from store.settings import Settings


def tune_magnets(
    settings: Settings, as_of: pd.Timestamp, trials: int, start: Spec, *, out: Path | None
) -> None:
    """Search the magnets' recipe from the present one on and write what was found as JSON.

    Origins of the last year before the as_of are left out of the search. A trial is one backtest.
    """
    if trials < 1:
        raise DataError(
            f"--tune {trials} is no number of trials. Expected 1 or more. Take another."
        )
    workspace = open_workspace(settings, as_of, spec=start)
    tags = made_tags(workspace)

    def backtested(spec: Spec) -> pd.DataFrame:
        executor = workspace.executor
        made = backtest_evidence(workspace.history, as_of, spec=spec, executor=executor)
        return model_cells(made.cells)

    def tell(number: int, tried: Spec, ratio: float) -> None:
        of_trial = {**tags, "flow": "trial", "spec": tried.digest}
        with open_run(settings, name=f"trial {number}", tags=of_trial):
            mlflow.log_params(sought(tried))
            mlflow.log_metrics({"ratio": ratio})

    with open_run(settings, name="tune", tags={**tags, "flow": "tune", "spec": start.digest}):
        found = tune(backtested, as_of, trials=trials, spec=start, track=track, tell=tell)
        text = json.dumps(report_of(found, as_of), indent=1) + "\n"
        mlflow.log_params({**found.spec.choices, "trials": trials, "best_trial": found.best})
        mlflow.log_metrics({"searched": found.searched, "held_out": found.held_out})
        log_table(found.trials, "trials.csv")
        mlflow.log_text(text, "recipe.json")
    _tell(found)
    write_text(text, out=out)
    if out is not None:
        echo(f"wrote {out}")


def report_of(found: TuningResult, as_of: pd.Timestamp) -> dict[str, object]:
    """Return what was found as a recipe, and how far to trust it."""
    spec = found.spec
    searched = {
        "digest": spec.digest,
        "untuned_digest": found.untuned.digest,
        "changed": {name: list(pair) for name, pair in found.changed.items()},
        "trials": len(found.trials),
        "best_trial": found.best,
        "searched": round(found.searched, 4),
        "held_out": round(found.held_out, 4),
        "held_out_from": f"{as_of - HELD_OUT:%Y-%m-%d}",
    }
    recipe = {"format": FORMAT, "model": spec.model, "parameters": spec.changed}
    return {**recipe, "found": searched}


def _tell(found: TuningResult) -> None:
    for name, (old, new) in found.changed.items():
        echo(f"tune      {name}: {old:g} -> {new:g}")
    if not found.changed:
        echo(f"tune      none of {len(found.trials)} trials beat the present recipe")
        return
    word = "holds" if found.held_out < 1 else "DOES NOT HOLD"
    echo(
        f"tune      trial {found.best} of {len(found.trials)}: errors x {found.searched:.3f}; "
        f"the gain {word} at the origins left out of the search: x {found.held_out:.3f}"
    )
