"""Scenario files, in YAML or JSON. Nothing of a scenario is ever stored."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pydantic import ValidationError

from sources.files.csv_table import Problems
from sources.files.yaml_table import plain_values
from store.errors import DataError
from store.schema.scenario import (
    Scenario,
    ScenarioAct,
    ScenarioContext,
    checked_scenario,
    words_of,
)

MOST_BYTES: Final = 64_000


def read_scenario(name: str, content: bytes, context: ScenarioContext) -> Scenario:
    """Return a scenario from YAML (or JSON, which is YAML)."""
    if len(content) > MOST_BYTES:
        raise DataError(
            f"{name} has {len(content):,} bytes. Expected at most {MOST_BYTES:,}. "
            "Ask for less at once; nothing was computed."
        )
    problems = Problems(name)
    top, lines = plain_values(name, content, problems)
    if not isinstance(top, dict) or not top:
        raise DataError(
            f"{name} is empty or no list of names and values. Expected name, and events or "
            "tariffs, as in scenarios/. Write them; nothing was computed."
        )
    found, faults = checked_scenario(top, context)
    for fault in faults:
        # A field that is missing has the line of the entry around it.
        parts = (fault.place[:end] for end in range(len(fault.place), -1, -1))
        line = next(lines[part] for part in parts if part in lines)
        text = str(fault.text).rstrip(".")
        problems.add(line, ": ".join([*map(str, fault.place[-1:]), text]))
    problems.raise_if_any()
    return found


def with_probabilities(
    scenario: Scenario, texts: Sequence[str], context: ScenarioContext
) -> Scenario:
    """Return a scenario with other probabilities that announced acts come as announced.

    Args:
        texts: ``EVENT=PROBABILITY`` each, of acts that are known or in the scenario.
    """
    acts = {act.event_id: act for act in scenario.levers.acts}
    for text in texts:
        event_id, _, chance = text.rpartition("=")
        entry = {"event_id": event_id, "probability": chance}
        if event_id not in acts:
            found, faults = checked_scenario({"name": "given", "events": [entry]}, context)
            if faults:
                raise DataError(f"--probability {text}: {faults[0].text}")
            acts[event_id] = found.levers.acts[0]
            continue
        try:
            probability = ScenarioAct.model_validate(entry).probability
        except ValidationError as err:
            raise DataError(f"--probability {text}: {words_of(err.errors()[0])}") from err
        known = acts[event_id]
        acts[event_id] = replace(known, given={**known.given, "probability": probability})
    return replace(scenario, levers=replace(scenario.levers, acts=tuple(acts.values())))
