"""Scenario files: hypothetical acts and tariff steps on top of what is known at an as_of.

Nothing of a scenario is ever stored.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import yaml

from sources.files.csv_table import Problems, Row
from sources.files.levers import (
    ACT_COLUMNS,
    TARIFF_COLUMNS,
    Levers,
    ScenarioContext,
    read_act,
    read_tariff,
)
from sources.files.yaml_table import composed, rows_of
from store.errors import DataError

MOST_ENTRIES: Final = 50
"""Acts and tariff steps that one scenario may hold."""

MOST_BYTES: Final = 64_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """A what-if question."""

    name: str
    description: str
    levers: Levers
    against: Levers | None
    """What to compare with; None for what is known."""


def read_scenario(name: str, content: bytes, context: ScenarioContext) -> Scenario:
    """Return a scenario from YAML (or JSON, which is YAML).

    Args:
        name: Of the file, for messages.
        content: The file.
        context: What it may refer to.

    Raises:
        DataError: It is empty, too large, not a scenario, or contradicts itself or the calendar;
            names the lines.
    """
    if len(content) > MOST_BYTES:
        raise DataError(
            f"{name} has {len(content):,} bytes. Expected at most {MOST_BYTES:,}. "
            "Ask for less at once; nothing was computed."
        )
    top = composed(name, content)
    if not isinstance(top, yaml.MappingNode) or not top.value:
        raise DataError(
            f"{name} is empty or no list of names and values. Expected name, and events or "
            "tariffs, as in scenarios/. Write them; nothing was computed."
        )
    problems = Problems(name)
    parts = _parts(top, ("name", "description", "events", "tariffs", "against"), problems)
    levers = _levers(parts, context, problems)
    against = _against(parts.get("against"), context, problems)
    if not {"events", "tariffs"} & set(parts):
        problems.add(top.start_mark.line + 1, "neither events nor tariffs: nothing is asked")
    title, description = _words(parts.get("name")), _words(parts.get("description"))
    if not title:
        problems.add(top.start_mark.line + 1, "name: not filled")
    if not (title + description).isprintable():
        problems.add(top.start_mark.line + 1, "name or description: not printable text")
    problems.raise_if_any()
    return Scenario(title, description, levers, against)


def with_probabilities(
    scenario: Scenario, texts: Sequence[str], context: ScenarioContext
) -> Scenario:
    """Return a scenario with other probabilities that announced acts come as announced.

    Args:
        scenario: As read.
        texts: ``EVENT=PROBABILITY`` each, of acts that are known or in the scenario.
        context: What it may refer to.

    Raises:
        DataError: A probability is none, or its act is not there, or has begun.
    """
    problems = Problems("--probability")
    acts = {act.event_id: act for act in scenario.levers.acts}
    for line, text in enumerate(texts, start=1):
        event_id, _, chance = text.rpartition("=")
        cells = dict.fromkeys(ACT_COLUMNS, "") | {"event_id": event_id, "probability": chance}
        row = Row(line, cells, problems)
        if event_id not in acts:
            if (act := read_act(row, context)) is not None:
                acts[event_id] = act
        elif not math.isnan(given := row.number("probability", low=0, high=1)):
            one = acts[event_id]
            acts[event_id] = replace(one, given={**one.given, "probability": given})
    problems.raise_if_any()
    return replace(scenario, levers=replace(scenario.levers, acts=tuple(acts.values())))


def _parts(
    top: yaml.MappingNode, allowed: Sequence[str], problems: Problems
) -> dict[str, yaml.Node]:
    """Return the values of a mapping by name; unknown and repeated names are noted."""
    found: dict[str, yaml.Node] = {}
    for key, value in top.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name not in allowed:
            problems.add(line, f"name {name!r}: not one of {', '.join(allowed)}")
        elif name in found:
            problems.add(line, f"name {name!r}: given twice")
        else:
            found[name] = value
    return found


def _words(node: yaml.Node | None) -> str:
    return " ".join(str(node.value).split()) if isinstance(node, yaml.ScalarNode) else ""


def _against(node: yaml.Node | None, context: ScenarioContext, problems: Problems) -> Levers | None:
    if node is None:
        return None
    if not isinstance(node, yaml.MappingNode):
        problems.add(node.start_mark.line + 1, "against: not events and tariffs")
        return None
    return _levers(_parts(node, ("events", "tariffs"), problems), context, problems)


def _levers(parts: Mapping[str, yaml.Node], context: ScenarioContext, problems: Problems) -> Levers:
    acts = [read_act(row, context) for row in _rows(parts, "events", ACT_COLUMNS, problems)]
    tariffs = [
        read_tariff(row, context) for row in _rows(parts, "tariffs", TARIFF_COLUMNS, problems)
    ]
    return Levers(tuple(filter(None, acts)), tuple(filter(None, tariffs)))


def _rows(
    parts: Mapping[str, yaml.Node], name: str, columns: Sequence[str], problems: Problems
) -> tuple[Row, ...]:
    """Return the entries of a list by name; two on the same act are noted."""
    if (node := parts.get(name)) is None:
        return ()
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.SequenceNode):
        problems.add(line, f"{name}: not a list of entries")
        return ()
    if len(node.value) > MOST_ENTRIES:
        problems.add(line, f"{name}: {len(node.value)} entries are more than {MOST_ENTRIES}")
        return ()
    rows = rows_of(node.value, columns, problems)
    seen: set[str] = set()
    for row in rows:
        if (event_id := row.cells.get("event_id", "")) and event_id in seen:
            row.bad("event_id", "named once in a list")
        seen.add(event_id)
        for column, text in row.cells.items():
            if not text.isprintable():
                row.bad(column, "printable text on one line")
    return tuple(row for row in rows if "".join(row.cells.values()).isprintable())
