"""What the service needs to answer scenarios: it hands this to its worker and loads no model."""

from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd
import yaml

from service.scenario_pool import Compute, ScenarioEngine, WorkedScenario
from sources.files.file_reader import content_of
from store.settings import PROJECT_ROOT, Settings

SCENARIOS: Final = PROJECT_ROOT / "scenarios"
"""Folder of the worked scenarios."""


def what_if(settings: Settings) -> ScenarioEngine:
    """All that the service needs to answer scenarios."""
    return ScenarioEngine(
        opener=partial(open_published, settings),
        worked=tuple(map(_worked, sorted(SCENARIOS.glob("*.yaml")))),
        waiting=settings.what_if_waiting,
        seconds=settings.what_if_seconds,
    )


def open_published(settings: Settings, rows: pd.DataFrame) -> Compute:
    """Function that computes scenarios on a publication in this process; takes seconds."""
    from flows.analysis.scenario_answers import answers_on  # noqa: PLC0415

    return answers_on(settings, rows)


def _worked(path: Path) -> WorkedScenario:
    text = content_of(path).decode("utf-8")
    top = yaml.safe_load(text)
    about = {"name": str(top["name"]), "description": str(top.get("description", ""))}
    return WorkedScenario(key=path.stem, text=text, **about)
