"""Hand-written tables and scenarios: every bad cell is reported before anything is used.

What parses a cell raises ValueError worded to follow "is not"; the reader adds place and text.
"""

import hashlib
import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

import pandas as pd

from sources.files.file_reader import Problems, content_of, csv_lines, texts_of, yaml_values
from store.errors import DataError, first_few
from store.schema.scenario import Scenario, ScenarioContext, checked_scenario

SUFFIXES: Final = frozenset({".yaml", ".yml"})

MOST_BYTES: Final = 64_000
"""Size of a scenario at most."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)

T = TypeVar("T")


def decimal_point(text: str) -> str:
    """A number with a decimal point and no other mark, unchanged."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("a plain number")
    return text


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file; its getters note errors and return a placeholder."""

    line: int
    cells: dict[str, str]
    problems: Problems
    digits_of: Callable[[str], str] = decimal_point
    """How its numbers are written: in a file with a decimal point and no other mark."""

    def bad(self, column: str, expected: str) -> None:
        """Note that a cell is not what is expected."""
        value = self.cells[column]
        self.problems.add(self.line, f"column {column!r}: {value!r} is not {expected}")

    def text(self, column: str, *, required: bool = False) -> str:
        """Text of a cell."""
        value = self.cells[column].strip()
        if required and not value:
            self.bad(column, "filled")
        return value

    def choice(self, column: str, allowed: Collection[str]) -> str:
        """Text of a cell, one of a closed set."""
        if (value := self.text(column)) not in allowed:
            self.bad(column, f"one of {', '.join(sorted(allowed))}")
        return value

    def parsed(self, column: str, parse: Callable[[str], T]) -> T | None:
        """Result of ``parse`` on a cell, None where it raises ValueError."""
        try:
            return parse(self.text(column))
        except ValueError as err:
            self.bad(column, str(err))
            return None

    def number(
        self, column: str, *, low: float = -math.inf, high: float = math.inf, empty: bool = False
    ) -> float:
        """Number within bounds, its cell in plain digits; NaN for an allowed empty one."""
        if empty and not self.text(column):
            return math.nan
        digits = self.parsed(column, self.digits_of)
        if digits is None:
            return math.nan
        self.cells[column] = digits
        number = float(digits)
        if not low <= number <= high:
            bounds = f"at least {low:g}" if math.isinf(high) else f"within {low:g} and {high:g}"
            self.bad(column, bounds)
        return number

    def day(self, column: str, *, required: bool = False) -> pd.Timestamp | None:
        """Day written YYYY-MM-DD; None where the cell is empty."""
        if not self.text(column, required=required):
            return None
        return self.parsed(column, parse_day)

    def interval(self, first: str, last: str) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
        """First and last day, None where empty; the last must not be before the first."""
        begin, end = self.day(first), self.day(last)
        if begin is not None and end is not None and end < begin:
            self.bad(last, f"on or after {first} {begin:%Y-%m-%d}")
        return begin, end


_YEARS: Final = ("1900", "2199")
"""Years that a month or day may lie in; one beyond is a typing error, and no date of the store."""


def check_year(text: str) -> None:
    """Refuse a month or day beyond all trade statistics."""
    if not _YEARS[0] <= text[:4] <= _YEARS[1]:
        raise ValueError(f"between the years {_YEARS[0]} and {_YEARS[1]}")


def parse_day(text: str) -> pd.Timestamp:
    """Day of ``YYYY-MM-DD``."""
    if not _DAY.fullmatch(text):
        raise ValueError("a day YYYY-MM-DD")
    check_year(text)
    try:
        return pd.Timestamp(date.fromisoformat(text)).as_unit("us")
    except ValueError as err:
        raise ValueError("a day of the calendar") from err


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a hand-written file, as text."""

    sha256: str
    rows: tuple[Row, ...]
    problems: Problems

    def note_repeats(self, key: Sequence[str]) -> None:
        """Note rows whose key an earlier row has."""
        first: dict[tuple[str, ...], int] = {}
        for row in self.rows:
            cells = tuple(row.text(name) for name in key)
            if (earlier := first.setdefault(cells, row.line)) != row.line:
                row.bad(key[-1], f"new, for line {earlier} has the same {', '.join(key)}")


def read_table(path: Path, columns: Sequence[str]) -> Table:
    """Rows of a CSV file or, by its suffix, of a YAML list of entries.

    CSV has exactly these columns, in any order; lines with a wrong number of cells are noted as
    problems, empty lines and commas at the end of lines are skipped. In YAML a column left out is
    empty, and a list is joined by semicolons.
    """
    content, problems = content_of(path), Problems(path.name)
    read = _entries if path.suffix.lower() in SUFFIXES else _lines
    rows = [Row(line, cells, problems) for line, cells in read(content, columns, problems)]
    return Table(hashlib.sha256(content).hexdigest(), tuple(rows), problems)


_Rows = Iterator[tuple[int, dict[str, str]]]
"""Cells by column, with the number of their line."""


def _lines(content: bytes, columns: Sequence[str], problems: Problems) -> _Rows:
    ((text, _),) = texts_of(problems.file, content)
    lines = csv_lines(problems.file, text)
    header = _fitted(next(lines, (1, []))[1], len(columns))
    faults = {
        "missing": sorted(set(columns) - set(header)),
        "unknown": sorted(set(header) - set(columns)),
        "repeated": sorted({name for name in header if header.count(name) > 1}),
    }
    if texts := [f"{fault} {first_few(names)}" for fault, names in faults.items() if names]:
        raise DataError(
            f"Wrong columns in {problems.file}: {', '.join(texts)}. Expected "
            f"{', '.join(columns)}. Correct the first line; nothing was taken over."
        )
    for line, raw in lines:
        cells = _fitted(raw, len(header))
        if len(cells) == len(header):
            yield line, dict(zip(header, cells, strict=True))
        elif cells:
            problems.add(line, f"row: {len(cells)} cells are not {len(header)}, as in the header")


def _fitted(cells: list[str], width: int) -> list[str]:
    """Cells of a line without empty ones beyond a width, as a comma at its end makes."""
    return cells if any(cell.strip() for cell in cells[width:]) else cells[:width]


def _entries(content: bytes, columns: Sequence[str], problems: Problems) -> _Rows:
    entries, lines = yaml_values(problems.file, content, problems)
    if not isinstance(entries, list) or not entries:
        raise DataError(
            f"{problems.file} holds no entries. Expected a list of them, each with names and "
            "values. Correct it; nothing was taken over."
        )
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
        yield lines[(number,)], cells


def read_scenario(name: str, content: bytes, context: ScenarioContext) -> Scenario:
    """A scenario from YAML (or JSON, which is YAML)."""
    if len(content) > MOST_BYTES:
        raise DataError(
            f"{name} has {len(content):,} bytes. Expected at most {MOST_BYTES:,}. "
            "Ask for less at once; nothing was computed."
        )
    problems = Problems(name)
    top, lines = yaml_values(name, content, problems)
    if not isinstance(top, dict) or not top:
        raise DataError(
            f"{name} is empty or no list of names and values. Expected name, and events or "
            "tariffs, as in scenarios/. Write them; nothing was computed."
        )
    scenario, faults = checked_scenario(top, context)
    for fault in faults:
        # A field that is missing has the line of the entry around it.
        parts = (fault.place[:end] for end in range(len(fault.place), -1, -1))
        line = next(lines[part] for part in parts if part in lines)
        text = str(fault.text).rstrip(".")
        problems.add(line, ": ".join([*map(str, fault.place[-1:]), text]))
    problems.raise_if_any()
    return scenario
