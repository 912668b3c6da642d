"""Hand-written tables in YAML: a list of entries, checked as strictly as CSV."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from sources.files.csv_table import CsvTable, Problems, Row, content_of, decoded, read_table
from store.errors import DataError
from store.schema.scenario import Place, Scenario, ScenarioContext, checked_scenario

SUFFIXES: Final = frozenset({".yaml", ".yml"})

_NOTHING: Final = "tag:yaml.org,2002:null"


def read_rows(path: Path, columns: Sequence[str]) -> CsvTable:
    """Read a hand-written table: YAML by its suffix, else CSV with exactly these columns."""
    return (
        read_yaml(path, columns) if path.suffix.lower() in SUFFIXES else read_table(path, columns)
    )


def read_yaml(path: Path, columns: Sequence[str]) -> CsvTable:
    """Read a YAML list of entries; a column left out is empty, a list is joined by semicolons.

    Values are read as text, so that 2.10 keeps its digits and a date stays a date. Only plain YAML
    is accepted: nothing in the file is executed.
    """
    content, problems = content_of(path), Problems(path.name)
    entries, lines = plain_values(path.name, content, problems)
    if not isinstance(entries, list) or not entries:
        raise DataError(
            f"{path.name} holds no entries. Expected a list of them, each with names and values. "
            "Correct it; nothing was taken over."
        )
    rows = []
    for number, entry in enumerate(entries):
        cells = dict.fromkeys(columns, "")
        if not isinstance(entry, dict):
            problems.add(lines[(number,)], "entry: no list of names and values")
            continue
        for name, value in entry.items():
            parts, line = value if isinstance(value, list) else [value], lines[number, name]
            if name not in cells:
                problems.add(line, f"name {name!r}: not one of {', '.join(sorted(cells))}")
            elif any(isinstance(part, dict | list) for part in parts):
                problems.add(line, f"column {name!r}: nested values are not a value or a list")
            else:
                cells[name] = ";".join(filter(None, parts))
        rows.append(Row(lines[(number,)], cells, problems))
    return CsvTable(hashlib.sha256(content).hexdigest(), tuple(rows), problems)


def plain_values(name: str, content: bytes, problems: Problems) -> tuple[Any, dict[Place, int]]:
    """Return a YAML tree as texts in lists and dicts, and the line of each of its parts.

    Nothing in it is executed.
    A name that is given twice is noted, and so is an alias, which can make much of a small file.
    """
    lines: dict[Place, int] = {(): 1}
    seen: set[int] = set()

    def built(node: yaml.Node | None, place: Place) -> object:
        if node is not None:
            lines.setdefault(place, node.start_mark.line + 1)
            if id(node) in seen:
                problems.add(lines[place], "an alias stands for it; write the values out")
                return None
            seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [built(part, (*place, number)) for number, part in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            found: dict[str, object] = {}
            for key, value in node.value:
                label, line = str(key.value), key.start_mark.line + 1
                if label in found:
                    problems.add(line, f"name {label!r}: given twice")
                lines[*place, label] = line
                found[label] = built(value, (*place, label))
            return found
        return None if node is None or node.tag == _NOTHING else str(node.value)

    return built(_composed(name, content), ()), lines


def _composed(name: str, content: bytes) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(decoded(name, content), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as err:
        is_deep = isinstance(err, RecursionError)
        reason = "it is nested too deeply" if is_deep else " ".join(str(err).split())
        raise DataError(
            f"{name} is not YAML: {reason}. Expected names and values in UTF-8. "
            "Correct it; nothing was taken over."
        ) from err
    return node


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
