"""Search for a recipe's parameters, and keep what the search saw: the magnets', or the engine's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mlflow
import pandas as pd

from flows.context.console import echo, track
from flows.context.jobs import made_tags
from flows.context.output import write_text
from flows.context.provenance import git_commit
from flows.context.workspace import open_workspace
from flows.panels.panel_files import months_ahead, read_reported
from models.evaluation.tuning import (
    SpecT,
    Tuned,
    TunedMagnets,
    TunedPanel,
    TuningResult,
    tune,
)
from models.learning.spec import FORMAT, EngineSpec, ModelSpec, model_of, sought
from models.registry.runs import log_table, open_run
from models.statistical import pretrained
from sources.files.panel import read_month
from store.errors import DataError, first_few
from store.months import month_label
from store.settings import Settings

TRIALS: Final = 20
"""Choices that are tried where no number is named."""


@dataclass(frozen=True, slots=True)
class TuningRequest:
    """What was asked for of panels, as it was typed."""

    trials: int
    panels: str
    """Files, with commas between."""
    before: str | None
    """Last month that may be looked at; None for that of each panel."""
    horizon: int | None
    """Months to forecast; None for 6 months."""


def tune_magnets(
    settings: Settings, as_of: pd.Timestamp, trials: int, start: ModelSpec, *, out: Path | None
) -> None:
    """Search the magnets' recipe from the present one on and write what was found as JSON.

    Origins of the last year before the as_of are left out of the search. A trial is one backtest.
    """
    workspace = open_workspace(settings, as_of, spec=start)
    magnets = TunedMagnets(workspace.history, as_of, workspace.executor)
    _written(_searched(settings, [magnets], trials, start, made_tags(workspace)), out)


def tune_files(
    settings: Settings, search: TuningRequest, spec: EngineSpec, *, out: Path | None
) -> None:
    """Search the engine's recipe on panels and write what was found as JSON."""
    panels = read_panels(search, spec)
    tags = {
        "panels": ",".join(panel.name for panel in panels),
        "before": ",".join(month_label(int(panel.table.columns[-1])) for panel in panels),
        "horizon": str(panels[0].horizon),
        "git_commit": git_commit(),
        **pretrained.tags(is_used=bool(spec.pretrained)),
    }
    _written(_searched(settings, panels, search.trials, spec, tags), out)


def _written(text: str, out: Path | None) -> None:
    write_text(text, out=out)
    if out is not None:
        echo(f"wrote {out}")


def _searched(
    settings: Settings,
    panels: Sequence[Tuned[SpecT]],
    trials: int,
    spec: SpecT,
    tags: Mapping[str, str],
) -> str:
    if trials < 1:
        raise DataError(
            f"--tune {trials} is no number of trials. Expected 1 or more. Take another."
        )

    def tell(number: int, tried: SpecT, ratio: float) -> None:
        of_trial = {**tags, "flow": "trial", "spec": tried.digest}
        with open_run(settings, name=f"trial {number}", tags=of_trial):
            mlflow.log_params(sought(tried))
            mlflow.log_metrics({"ratio": ratio})

    of_search = {**tags, "flow": "tune", "spec": spec.digest}
    with open_run(settings, name="tune", tags=of_search):
        found = tune(
            panels, trials=trials, spec=spec, seed=int(spec.choices["seed"]), track=track, tell=tell
        )
        text = json.dumps(report_of(found, panels), indent=1) + "\n"
        mlflow.log_params({**found.spec.choices, "trials": trials, "best_trial": found.best})
        mlflow.log_metrics({"searched": found.searched, "held_out": found.held_out})
        log_table(found.trials, "trials.csv")
        log_table(found.gains, "gains.csv")
        mlflow.log_text(text, "recipe.json")
    _tell(found)
    return text


def read_panels(search: TuningRequest, spec: EngineSpec) -> list[TunedPanel]:
    """Return the panels to search on, each cut off after its last month."""
    paths = [Path(text.strip()) for text in search.panels.split(",")]
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        raise DataError(
            f"--panel names a file twice: {first_few(names)}. Expected each panel once, by a name "
            "of its own. Leave one out or rename it."
        )
    return [_panel(path, search, spec) for path in paths]


def report_of(found: TuningResult[SpecT], panels: Sequence[Tuned[SpecT]]) -> dict[str, object]:
    """Return what was found as a recipe, and how far to trust it."""
    changed = {n: one for n, one in found.spec.changed.items() if n not in found.spec.uncounted}
    known = found.gains.round(4).astype(object).where(found.gains.notna(), None)
    rows = zip(panels, known.to_dict(orient="records"), strict=True)
    searched = {
        "digest": found.spec.digest,
        "untuned_digest": found.untuned.digest,
        "changed": {name: list(pair) for name, pair in found.changed.items()},
        "trials": len(found.trials),
        "best_trial": found.best,
        "searched": round(found.searched, 4),
        "held_out": round(found.held_out, 4),
        "panels": [{**row, **panel.about} for panel, row in rows],
    }
    model = model_of(type(found.spec))
    return {"format": FORMAT, "model": model, "parameters": changed, "found": searched}


def _tell(found: TuningResult[SpecT]) -> None:
    for name, (old, new) in found.changed.items():
        echo(f"tune      {name}: {old:g} -> {new:g}")
    if not found.changed:
        echo(f"tune      none of {len(found.trials)} trials beat the present recipe")
        return
    for row in found.gains.itertuples():
        echo(
            f"tune      {row.panel}: errors x {row.searched:.3f} where searched, "
            f"x {row.held_out:.3f} held out"
        )
    word = "holds" if found.held_out < 1 else "DOES NOT HOLD"
    echo(
        f"tune      trial {found.best} of {len(found.trials)}: errors x {found.searched:.3f}; "
        f"the gain {word} at the origins left out of the search: x {found.held_out:.3f}"
    )


def _panel(path: Path, search: TuningRequest, spec: EngineSpec) -> TunedPanel:
    panel = read_reported(path, name=path.name)
    last = int(panel.table.columns[-1])
    return TunedPanel.up_to(
        path.name,
        panel.table,
        before=last if search.before is None else _month(search.before),
        horizon=months_ahead(search.horizon),
        spec=spec,
    )


def _month(text: str) -> int:
    try:
        return read_month(text)
    except ValueError as err:
        raise DataError(
            f"--before {text!r} is no month ({err}). Expected YYYY-MM. Correct it."
        ) from err
