"""Strict CSV: every bad cell of a file is reported before anything is used.

What parses a cell raises ValueError worded to follow "is not"; the reader adds place and text.
"""

import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd

from store.errors import DataError, counted, first_few

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)

T = TypeVar("T")


def decimal_point(text: str) -> str:
    """Return a number of a file unchanged."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("a plain number")
    return text


@dataclass(slots=True)
class Problems:
    """Bad cells found so far in one file."""

    file: str
    found: list[tuple[int, str]] = field(default_factory=list)
    lines: set[int] = field(default_factory=set)

    def add(self, line: int, text: str) -> None:
        """Note one problem of a line."""
        self.found.append((line, text))
        self.lines.add(line)

    def parsed(
        self, title: str, texts: "pd.Series[str]", parse: Callable[[str], object]
    ) -> "pd.Series[Any]":
        """Return the results of ``parse`` on cells by line, None for what it refuses."""
        found: list[object] = []
        for line, text in zip(texts.index.tolist(), texts, strict=True):
            try:
                found.append(parse(text))
            except ValueError as err:
                found.append(None)
                self.add(line, f"column {title!r}: {text!r} is not {err}")
        return pd.Series(found, texts.index, dtype="object")

    def raise_if_any(self) -> None:
        """Raise one error for all problems, in line order."""
        if self.found:
            messages = [f"line {line}, {text}" for line, text in sorted(self.found)]
            raise DataError(
                f"{counted(len(self.lines), 'bad row')} in {self.file}: "
                f"{first_few(messages)}. Correct these lines; nothing was taken over."
            )


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a CSV file; its getters note errors and return a placeholder."""

    line: int
    cells: dict[str, str]
    problems: Problems
    digits_of: Callable[[str], str] = decimal_point
    """How its numbers are written: in a file with a decimal point and no other mark."""

    def bad(self, column: str, expected: str) -> None:
        """Note that a cell is not what is expected."""
        value = self.cells[column]
        self.problems.add(self.line, f"column {column!r}: {value!r} is not {expected}")

    @property
    def is_valid(self) -> bool:
        return self.line not in self.problems.lines

    def text(self, column: str, *, required: bool = False) -> str:
        """Return a cell's text."""
        value = self.cells[column].strip()
        if required and not value:
            self.bad(column, "filled")
        return value

    def choice(self, column: str, allowed: Collection[str]) -> str:
        """Return a cell that must be one of a closed set."""
        if (value := self.text(column)) not in allowed:
            self.bad(column, f"one of {', '.join(sorted(allowed))}")
        return value

    def parsed(self, column: str, parse: Callable[[str], T]) -> T | None:
        """Return the result of ``parse`` on a cell, None where it raises ValueError."""
        try:
            return parse(self.text(column))
        except ValueError as err:
            self.bad(column, str(err))
            return None

    def number(
        self, column: str, *, low: float = -math.inf, high: float = math.inf, empty: bool = False
    ) -> float:
        """Return a number within bounds, its cell in plain digits; NaN for an allowed empty one."""
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
        """Return a day written YYYY-MM-DD; None where the cell is empty."""
        if not self.text(column, required=required):
            return None
        return self.parsed(column, parse_day)

    def interval(self, first: str, last: str) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
        """Return two days, of which the second must not be before the first."""
        begin, end = self.day(first), self.day(last)
        if begin is not None and end is not None and end < begin:
            self.bad(last, f"on or after {first} {begin:%Y-%m-%d}")
        return begin, end


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV file read as text."""

    sha256: str
    rows: tuple[Row, ...]
    problems: Problems

    def note_repeats(self, key: Sequence[str]) -> None:
        """Note lines whose key an earlier line has."""
        first: dict[tuple[str, ...], int] = {}
        for row in self.rows:
            own = tuple(row.text(name) for name in key)
            if (earlier := first.setdefault(own, row.line)) != row.line:
                row.bad(key[-1], f"new, for line {earlier} has the same {', '.join(key)}")


FIRST_YEAR: Final = "1900"
LAST_YEAR: Final = "2199"
"""Years that a month or day may lie in; one beyond is a typing error, and no date of the store."""


def check_year(text: str) -> None:
    """Refuse a month or day beyond all trade statistics."""
    if not FIRST_YEAR <= text[:4] <= LAST_YEAR:
        raise ValueError(f"between the years {FIRST_YEAR} and {LAST_YEAR}")


def parse_day(text: str) -> pd.Timestamp:
    """Return the day of ``YYYY-MM-DD``."""
    if not _DAY.fullmatch(text):
        raise ValueError("a day YYYY-MM-DD")
    check_year(text)
    try:
        return pd.Timestamp(date.fromisoformat(text)).as_unit("us")
    except ValueError as err:
        raise ValueError("a day of the calendar") from err


def read_table(path: Path, columns: Sequence[str]) -> CsvTable:
    """Read a CSV file with exactly these columns, in any order.

    Lines with a wrong number of cells are noted as problems, to be raised with those of the cells.
    Empty lines are skipped, and so are commas at the end of lines.
    """
    content = content_of(path)
    text = decoded(path.name, content)
    problems = Problems(path.name)
    lines = records(path.name, text)
    _, first = next(lines, (1, []))
    header = fitted(first, len(columns))
    _check_header(path, header, columns)
    rows = []
    for line, raw in lines:
        cells = fitted(raw, len(header))
        if len(cells) == len(header):
            rows.append(Row(line, dict(zip(header, cells, strict=True)), problems))
        elif cells:
            problems.add(line, f"row: {len(cells)} cells are not {len(header)}, as in the header")
    return CsvTable(hashlib.sha256(content).hexdigest(), tuple(rows), problems)


def content_of(path: Path) -> bytes:
    """Return the bytes of a file."""
    try:
        return path.read_bytes()
    except OSError as err:
        raise DataError(
            f"Cannot read {path.name} ({err.strerror}) in {path.parent}. Expected a file there. "
            "Correct the path; for a bundled table restore it, or point MAGNETCAST_DATA_DIR at the "
            "folder that holds it."
        ) from err


def decoded(name: str, content: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = content[: err.start].count(b"\n") + 1
        raise DataError(
            f"{name} is not UTF-8: byte 0x{content[err.start]:02x} on line {line}. Expected "
            "UTF-8 text. Save the file as UTF-8; nothing was taken over."
        ) from err


def records(name: str, text: str, *, mark: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the number of the line it starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as err:
        raise DataError(
            f"{name} is not CSV from line {start} on: {err}. Expected commas between cells and "
            "paired double quotes. Correct the quoting; nothing was taken over."
        ) from err


def fitted(cells: list[str], width: int) -> list[str]:
    """Return the cells of a line without empty ones beyond a width, as a comma at its end makes."""
    return cells if any(cell.strip() for cell in cells[width:]) else cells[:width]


def _check_header(path: Path, header: list[str], columns: Sequence[str]) -> None:
    trouble = {
        "missing": sorted(set(columns) - set(header)),
        "unknown": sorted(set(header) - set(columns)),
        "repeated": sorted({name for name in header if header.count(name) > 1}),
    }
    named = [f"{what} {first_few(names)}" for what, names in trouble.items() if names]
    if named:
        raise DataError(
            f"Wrong columns in {path.name}: {', '.join(named)}. Expected {', '.join(columns)}. "
            "Correct the first line; nothing was taken over."
        )
