"""Scenario files, in YAML or JSON. Nothing of a scenario is ever stored."""

from typing import Final

from sources.files.csv_table import Problems
from sources.files.yaml_table import plain_values
from store.errors import DataError
from store.schema.scenario import (
    Scenario,
    ScenarioContext,
    checked_scenario,
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
