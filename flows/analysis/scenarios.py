"""Scenarios: the forecast of an as_of that they start from."""

from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd
import yaml

from flows.analysis.scenario_answers import published_scenario_snapshot
from flows.context.console import echo
from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.publishing.published_forecasts import name_of
from flows.training.predict import made_at
from models.policy.scenario import ScenarioSnapshot, learned_shift, nothing_learned
from service.scenarios import Compute, ScenarioEngine, WorkedScenario
from sources.files.csv_table import content_of
from store.errors import DataError, StoreError
from store.facts.reading import latest_forecast
from store.settings import PROJECT_ROOT, Settings

SCENARIOS: Final = PROJECT_ROOT / "scenarios"
"""Folder of the worked scenarios."""


def what_if(settings: Settings) -> ScenarioEngine:
    """Return all that the service needs to answer scenarios."""
    return ScenarioEngine(
        opener=partial(open_published, settings),
        worked=worked_scenarios(SCENARIOS),
        waiting=settings.what_if_waiting,
        seconds=settings.what_if_seconds,
    )


def open_published(settings: Settings, rows: pd.DataFrame) -> Compute:
    """Return who answers about a publication, in the process that calls this; takes seconds."""
    # The service hands this function to its worker and loads no model itself.
    from flows.analysis.scenario_answers import (  # noqa: PLC0415
        ScenarioAnswerer,
        published_scenario_snapshot,
    )

    return ScenarioAnswerer(published_scenario_snapshot(settings, rows))


def worked_scenarios(folder: Path) -> tuple[WorkedScenario, ...]:
    """Return the scenarios of a folder, by file name."""
    return tuple(_worked(path) for path in sorted(folder.glob("*.yaml")))


def _worked(path: Path) -> WorkedScenario:
    text = content_of(path).decode("utf-8")
    top = yaml.safe_load(text)
    return WorkedScenario(path.stem, str(top["name"]), str(top.get("description", "")), text)


def scenario_snapshot(settings: Settings, as_of: pd.Timestamp) -> ScenarioSnapshot:
    """Return the forecast of an as_of, ready for scenarios.

    It is what was published as of that day, whatever was ingested since; without that, or its
    model, it is made as ``predict`` makes it.
    """
    rows = latest_forecast(store_of(settings), as_of=as_of)
    if rows.empty or rows["as_of"].iloc[0].floor("D") != as_of.floor("D"):
        return _of_evidence(settings, as_of)
    try:
        found = published_scenario_snapshot(settings, rows)
    except (DataError, StoreError) as err:
        echo(f"scenario  {name_of(rows)} cannot answer, so the forecast is made anew: {err}")
        return _of_evidence(settings, as_of)
    echo(f"scenario  from the forecast of {name_of(rows)}, data to {rows['cutoff'].max()}")
    return found


def _of_evidence(settings: Settings, as_of: pd.Timestamp) -> ScenarioSnapshot:
    made = made_at(open_workspace(settings, as_of), None, None)
    model = made.model
    learned = nothing_learned if model is None else learned_shift(model.heads, model.card)
    published, ordinary = made.stages.published, made.stages.coherent
    return ScenarioSnapshot(as_of, made.origin, made.analogs, published, ordinary, learned)
