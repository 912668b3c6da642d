"""Search for the parameters of the magnets' model on its own backtest, and keep what it saw."""

import json
from pathlib import Path
from typing import Final

import mlflow
import numpy as np
import optuna
import pandas as pd
from optuna.samplers import TPESampler

from flows.context.console import echo, track
from flows.context.jobs import made_tags
from flows.context.output import write_text
from flows.context.workspace import Workspace, open_workspace
from flows.panels.tune import log_trial
from models.evaluation.backtest import backtest_evidence
from models.evaluation.compare import own_cells
from models.learning.spec import FORMAT, ModelSpec, sought, suggested
from models.registry.runs import open_run
from store.arrays import Floats
from store.errors import DataError
from store.settings import Settings

HELD_OUT: Final = pd.DateOffset(years=1)
"""Origins of the last year are not searched on; they check what was found."""


def tune_magnets(
    settings: Settings, as_of: pd.Timestamp, trials: int, start: ModelSpec, *, out: Path | None
) -> None:
    """Backtest some specs, the present one first, and write the best as a recipe.

    The objective is the mean of error (WAPE) and quantile loss at the origins searched, each as a
    ratio to the present spec's. One trial is one backtest.
    """
    if trials < 1:
        raise DataError(
            f"--tune {trials} is no number of trials. Expected 1 or more. Take another."
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    workspace = open_workspace(settings, as_of, spec=start)
    tags = {**made_tags(workspace), "flow": "tune", "spec": start.digest}
    study = optuna.create_study(sampler=TPESampler(seed=start.seed))
    study.enqueue_trial(dict(sought(start)))
    specs: list[ModelSpec] = []
    errors: list[Floats] = []
    with open_run(settings, name="tune", tags=tags):
        for number in track(range(trials), "trials"):
            trial = study.ask()
            specs.append(suggested(trial, start))
            errors.append(_errors(workspace, specs[-1]))
            searched, held_out = (errors[-1] / errors[0]).mean(axis=1).tolist()
            study.tell(trial, searched)
            log_trial(
                settings, number, specs[-1], {"searched": searched, "held_out": held_out}, tags
            )
        ratios = np.array([(one / errors[0]).mean(axis=1) for one in errors])
        best = int(ratios[:, 0].argmin())
        text = _report(start, specs[best], ratios[best], trials=trials, best=best)
        mlflow.log_params({**specs[best].choices, "trials": trials, "best_trial": best})
        mlflow.log_metrics(dict(zip(("searched", "held_out"), ratios[best].tolist(), strict=True)))
        mlflow.log_text(text, "recipe.json")
    searched, held_out = ratios[best].tolist()
    word = "holds" if held_out < 1 else "DOES NOT HOLD"
    echo(
        f"tune      trial {best} of {trials}: errors x {searched:.3f}; the gain {word} on the last "
        f"year's origins, left out of the search: x {held_out:.3f}"
    )
    write_text(text, out=out)


def _errors(workspace: Workspace, spec: ModelSpec) -> Floats:
    """Return error and loss of a spec, (searched, held out) x (sum of errors, mean loss)."""
    found = backtest_evidence(
        workspace.history, workspace.as_of, spec=spec, executor=workspace.executor
    )
    cells = own_cells(found.cells)
    late = cells["as_of"] >= workspace.as_of - HELD_OUT if len(cells) else pd.Series(dtype=bool)
    parts = [cells.loc[~late], cells.loc[late]]
    if any(part.empty for part in parts):
        raise DataError(
            f"No month is scored before or after {workspace.as_of - HELD_OUT:%Y-%m-%d}. Expected "
            "origins to search on and a year of them to check on. Take a later --as-of, or tune "
            "on panels with --panel FILE."
        )
    return np.array(
        [[p["absolute_error"].sum(), p["scaled_quantile_loss"].mean()] for p in parts], dtype=float
    )


def _report(start: ModelSpec, spec: ModelSpec, ratio: Floats, *, trials: int, best: int) -> str:
    searched, held_out = ratio.round(4).tolist()
    found = {
        "digest": spec.digest,
        "untuned_digest": start.digest,
        "trials": trials,
        "best_trial": best,
        "searched": searched,
        "held_out": held_out,
    }
    recipe = {"format": FORMAT, "model": "magnets", "parameters": spec.changed, "found": found}
    return json.dumps(recipe, indent=1) + "\n"
