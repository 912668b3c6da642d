"""Search for the engine's choices on panels from files, and keep what the search saw."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mlflow

from flows.context.console import echo, track
from flows.context.output import write_text
from flows.context.provenance import git_commit
from flows.panels.panel_files import months_ahead, read_reported
from models.engine import tuning
from models.engine.tuning import TunedPanel, TuningResult
from models.learning.spec import FORMAT, EngineSpec, Spec, sought
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
    """What was asked for, as it was typed."""

    trials: int
    panels: str
    """Files, with commas between."""
    before: str | None
    """Last month that may be looked at; None for that of each panel."""
    horizon: int | None
    """Months to forecast; None for 6 months."""


def tune_files(
    settings: Settings, search: TuningRequest, spec: EngineSpec, *, out: Path | None
) -> None:
    """Search, tell what was found and write it as JSON to a file or to stdout."""
    write_text(tune(settings, search, spec), out=out)
    if out is not None:
        echo(f"wrote {out}")


def tune(settings: Settings, search: TuningRequest, start: EngineSpec | None = None) -> str:
    """Return what a search found as JSON; it and all trials are logged to MLflow as one run.

    The panels are read in here: Prefect keeps a flow's parameters, and tables are too large for it.

    Args:
        start: What the search begins at; the defaults if left out.
    """
    spec = start or EngineSpec(threads=settings.threads)
    panels = read_panels(search, spec)
    tags = _tags(panels, spec)

    def tell(number: int, tried: EngineSpec, ratio: float) -> None:
        log_trial(settings, number, tried, {"ratio": ratio}, tags)

    with open_run(settings, name="tune", tags=tags):
        found = tuning.tune(
            panels, trials=search.trials, spec=spec, seed=spec.seed, track=track, tell=tell
        )
        text = json.dumps(report_of(found, panels), indent=1) + "\n"
        mlflow.log_params({**found.spec.choices, "trials": search.trials, "best_trial": found.best})
        mlflow.log_metrics({"searched": found.searched, "held_out": found.held_out})
        log_table(found.trials, "trials.csv")
        log_table(found.gains, "gains.csv")
        mlflow.log_text(text, "recipe.json")
    _tell(found)
    return text


def log_trial(
    settings: Settings,
    number: int,
    tried: Spec,
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
) -> None:
    """Keep one trial of a search as a child of its run."""
    tagged = {**tags, "flow": "trial", "spec": tried.digest}
    with open_run(settings, name=f"trial {number}", tags=tagged):
        mlflow.log_params(sought(tried))
        mlflow.log_metrics(dict(metrics))


def read_panels(search: TuningRequest, spec: EngineSpec) -> list[TunedPanel]:
    """Return the panels to search on, each cut off after its last month."""
    if search.trials < 1:
        raise DataError(
            f"--tune {search.trials} is no number of trials. Expected 1 or more. Take another."
        )
    paths = [Path(text.strip()) for text in search.panels.split(",")]
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        raise DataError(
            f"--panel names a file twice: {first_few(names)}. Expected each panel once, by a name "
            "of its own. Leave one out or rename it."
        )
    return [_panel(path, search, spec) for path in paths]


def report_of(found: TuningResult, panels: Sequence[TunedPanel]) -> dict[str, object]:
    """Return what was found as a recipe, and how far to trust it."""
    changed = {n: one for n, one in found.spec.changed.items() if n not in found.spec.uncounted}
    known = found.gains.round(4).astype(object).where(found.gains.notna(), None)
    searched = {
        "digest": found.spec.digest,
        "untuned_digest": found.untuned.digest,
        "changed": {name: list(pair) for name, pair in found.changed.items()},
        "trials": len(found.trials),
        "best_trial": found.best,
        "searched": round(found.searched, 4),
        "held_out": round(found.held_out, 4),
        "panels": [
            {
                **{str(name): value for name, value in gains.items()},
                "horizon": panel.horizon,
                "cutoffs": [month_label(cutoff) for cutoff in panel.cutoffs],
                "held_out_cutoff": month_label(panel.held_out),
            }
            for panel, gains in zip(panels, known.to_dict(orient="records"), strict=True)
        ],
    }
    return {"format": FORMAT, "model": "panel", "parameters": changed, "found": searched}


def _tags(panels: Sequence[TunedPanel], spec: EngineSpec) -> dict[str, str]:
    return {
        "flow": "tune",
        "panels": ",".join(panel.name for panel in panels),
        "before": ",".join(month_label(int(panel.table.columns[-1])) for panel in panels),
        "horizon": str(panels[0].horizon),
        "spec": spec.digest,
        "git_commit": git_commit(),
        **pretrained.tags(is_used=bool(spec.pretrained)),
    }


def _tell(found: TuningResult) -> None:
    for name, (old, new) in found.changed.items():
        echo(f"tune      {name}: {old:g} -> {new:g}")
    for row in found.gains.itertuples():
        echo(
            f"tune      {row.panel}: errors x {row.searched:.3f} where searched, "
            f"x {row.held_out:.3f} held out"
        )
    if not found.changed:
        echo(f"tune      none of {len(found.trials)} trials beat the present spec")
        return
    word = "holds" if found.held_out < 1 else "DOES NOT HOLD"
    echo(
        f"tune      trial {found.best} of {len(found.trials)}: errors x {found.searched:.3f}; "
        f"the gain {word} on the cutoffs left out of the search: x {found.held_out:.3f}"
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
