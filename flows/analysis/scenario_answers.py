"""Who answers the service's scenarios: the command's own steps, on the published rows."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from models.policy.scenario import PairedForecast, paired
from models.policy.scenario_snapshot import ScenarioSnapshot
from service.scenarios.scenario_schema import (
    ANSWER_COLUMNS,
    ScenarioResult,
)
from sources.files.levers import Levers
from sources.files.scenario import Scenario, read_scenario

KEPT: Final = 64
"""Answers kept by what they ask, however it is spelled."""


def open_asker(
    standing_of: Callable[[pd.DataFrame], ScenarioSnapshot], rows: pd.DataFrame
) -> "ScenarioAnswerer":
    """Return who answers about a publication; takes seconds.

    Args:
        standing_of: Returns where a publication stands, from its rows.
        rows: The publication.
    """
    return ScenarioAnswerer(standing_of(rows))


@dataclass(slots=True)
class ScenarioAnswerer:
    """Answers scenarios where one publication stands; equal levers are computed once."""

    standing: ScenarioSnapshot
    kept: dict[str, PairedForecast] = field(default_factory=dict)

    def __call__(self, text: bytes) -> ScenarioResult:
        """Return the answer to a scenario written as YAML or JSON.

        Raises:
            DataError: It is no scenario, or contradicts itself or what is known.
        """
        asked = read_scenario("the scenario", text, self.standing.context)
        key = canonical(asked)
        if key not in self.kept:
            if len(self.kept) >= KEPT:
                del self.kept[next(iter(self.kept))]
            self.kept[key] = paired(self.standing, asked)
        return told_of(asked, self.kept[key])


def canonical(scenario: Scenario) -> str:
    """Return what a scenario asks, the same text for the same levers."""
    sides = [_plain(side) for side in (scenario.levers, scenario.against) if side is not None]
    return json.dumps(sides, sort_keys=True)


def _plain(levers: Levers) -> list[list[object]]:
    acts = [
        {**{name: str(value) for name, value in act.given.items()}, "id": act.event_id}
        for act in levers.acts
    ]
    return [[*acts], [str(lever) for lever in levers.tariffs]]


def told_of(scenario: Scenario, found: PairedForecast) -> ScenarioResult:
    """Return an answer as the service tells it: rounded to the kilogram."""
    table = pd.concat([found.table, found.bands.drop(columns=["base_p50", "scenario_p50"])], axis=1)
    tonnes = table.select_dtypes("number").columns
    table = table.assign(
        **{str(name): table[name].round(3) for name in tonnes},
    )
    return ScenarioResult(
        name=scenario.name,
        description=scenario.description,
        table=table[list(ANSWER_COLUMNS)],
        notes=found.notes,
        warnings=tuple(text for text in table["warning"].unique() if text),
    )
