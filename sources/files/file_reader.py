"""The reader of files: text cells and values with their lines, whatever the format.

Here: encodings, CSV, workbooks, YAML, Parquet; hand-written tables and
scenarios, of which every bad cell is reported before anything is used. What parses a cell raises
ValueError worded to follow "is not"; the reader adds place and text. Not here: what cells mean.
"""

import codecs
import csv
import gzip
import hashlib
import io
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar
from xml.etree import ElementTree as ET

import pandas as pd
import yaml

from store.errors import DataError, counted, first_few
from store.facts.batch import FileRows
from store.schema.frames import typed_frame
from store.schema.scenario import Place, Scenario, ScenarioContext, WrongScenarioError, scenario_of

Line = tuple[int, list[str]]
"""Line number and cells."""

__PARQUET: Final = (".parquet", ".pq")

_UTF8: Final = ("utf-8-sig",)
_SHEET: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_STRINGS: Final = "xl/sharedStrings.xml"
_WORKBOOK: Final = b"PK\x03\x04"
_MOST_COLUMNS: Final = 1_000
_MOST_CELLS: Final = 2_000_000
"""Cells of a sheet, empty ones included; a download of all partners since 1995 has a quarter."""
_MOST_BYTES: Final = 64_000_000
"""Bytes of a file, and of a workbook unpacked; a month of all partners has some 30,000."""
_START: Final = 4_000
"""Characters of a text that show what stands between its cells."""
_NULL: Final = "tag:yaml.org,2002:null"


@dataclass(slots=True)
class Problems:
    """Bad cells of one file, collected so that one error names them all."""

    file: str
    texts: list[tuple[int, str]] = field(default_factory=list)
    lines: set[int] = field(default_factory=set)

    def add(self, line: int, text: str) -> None:
        """Note one problem of a line."""
        self.texts.append((line, text))
        self.lines.add(line)

    def parsed(
        self, title: str, texts: "pd.Series[str]", parse: Callable[[str], object]
    ) -> "pd.Series[Any]":
        """Results of ``parse`` on cells by line; None, and a problem, where it raises ValueError.

        Its error is worded to follow "is not".
        """
        results: list[object] = []
        for line, text in zip(texts.index.tolist(), texts, strict=True):
            try:
                results.append(parse(text))
            except ValueError as err:
                results.append(None)
                self.add(line, f"column {title!r}: {text!r} is not {err}")
        return pd.Series(results, texts.index, dtype="object")

    def raise_if_any(self) -> None:
        """Raise one error for all problems, in line order."""
        if self.texts:
            messages = [f"line {line}, {text}" for line, text in sorted(self.texts)]
            raise DataError(
                f"{counted(len(self.lines), 'bad row')} in {self.file}: "
                f"{first_few(messages)}. Correct these lines; nothing was taken over."
            )


def content_of(path: Path) -> bytes:
    """Bytes of a file, which is refused unread if it is too large."""
    try:
        if (size := path.stat().st_size) > _MOST_BYTES:
            raise DataError(
                f"{path.name} has {size:,} bytes. Expected at most {_MOST_BYTES:,}: a month of all "
                "partners has some 30,000. Ask for less at once; nothing was read."
            )
        return path.read_bytes()
    except OSError as err:
        raise DataError(
            f"Cannot read {path.name} ({err.strerror}) in {path.parent}. Expected a file there. "
            "Correct the path; for a bundled table restore it, or point MAGNETCAST_DATA_DIR at the "
            "folder that holds it."
        ) from err


@cache
def package_table(name: str) -> Any:  # noqa: ANN401 - as YAML was read
    """A table of words that comes with this package, such as ``checks.yaml``."""
    return yaml.safe_load((Path(__file__).parents[1] / name).read_text(encoding="utf-8"))


def texts_of(
    name: str, content: bytes, encodings: Sequence[str] = _UTF8
) -> Iterator[tuple[str, str]]:
    """Yield the text of a file with its encoding, once in each encoding that its bytes allow."""
    has_mark = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    wide = "utf-16" if has_mark else "utf-16-le"
    is_wide = wide in encodings and (has_mark or b"\0" in content)
    likely = [wide] if is_wide else [code for code in encodings if not code.startswith("utf-16")]
    faults = []
    for encoding in likely:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError as err:
            faults.append(err.start)
        else:
            yield text.removeprefix("\ufeff"), encoding.removesuffix("-sig")
    if len(faults) == len(likely):
        place = max(faults)
        line = content[:place].count(b"\n") + 1
        kinds = " or ".join(encoding.removesuffix("-sig").upper() for encoding in encodings)
        raise DataError(
            f"{name} is not {kinds}: byte 0x{content[place]:02x} on line {line}. Expected text so "
            "encoded. Save the file as UTF-8; nothing was taken over."
        )


@contextmanager
def _readable(name: str, expected: str, fault: str = "cannot be read") -> Iterator[None]:
    """Turn every error of reading a file into one sentence."""
    remedy = f"Expected {expected}."
    try:
        yield
    except FileNotFoundError as err:
        raise DataError(f"{name} does not exist. {remedy} Check the path.") from err
    except ImportError as err:
        remedy = 'Expected `pip install "magnetcast[ops]"`. Or write CSV.'
        raise DataError(f"{name} needs pyarrow. {remedy}") from err
    except (  # RuntimeError: a workbook that is encrypted
        OSError, EOFError, ValueError, LookupError, RuntimeError, csv.Error, zlib.error,
        yaml.YAMLError, ET.ParseError, zipfile.BadZipFile,
    ) as err:  # fmt: skip
        is_deep = isinstance(err, RecursionError)
        reason = "it is nested too deeply" if is_deep else " ".join(str(err).split())
        raise DataError(
            f"{name} {fault}: {reason}. {remedy} Correct it or download it anew; nothing was "
            "taken over."
        ) from err


def csv_lines(name: str, text: str, *, mark: str = ",") -> Iterator[Line]:
    """Yield each record of a CSV text with the number of the line it starts on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    start = 1
    while True:
        with _readable(name, "paired double quotes", f"is not CSV from line {start} on"):
            if (cells := next(reader, None)) is None:
                return
        yield start, cells
        start = reader.line_num + 1


def tables_of(
    name: str, content: bytes, encodings: Sequence[str]
) -> Iterator[tuple[list[Line], str]]:
    """Yield the stripped cells of a downloaded table with its format.

    CSV is read once in each encoding that its bytes allow, a workbook once.
    """
    readings: Iterable[tuple[Iterable[Line], str]]
    if content.startswith(_WORKBOOK):
        readings = [(enumerate(_sheet(name, content), start=1), "xlsx")]
    else:
        readings = (
            (csv_lines(name, text, mark=max(",;\t", key=text[:_START].count)), encoding)
            for text, encoding in texts_of(name, content, encodings)
        )
    for lines, kind in readings:
        yield [(number, [cell.strip() for cell in cells]) for number, cells in lines], kind


def _sheet(name: str, content: bytes) -> list[list[str]]:
    """Cells of a workbook's first sheet as they are written in it."""
    with (
        _readable(name, "a table as .xlsx or CSV", "is no workbook that can be read"),
        zipfile.ZipFile(io.BytesIO(content)) as book,
    ):
        parts = {part.filename: part.file_size for part in book.infolist()}
        if (size := sum(parts.values())) > _MOST_BYTES:
            raise ValueError(f"it unpacks to {size:,} bytes, more than {_MOST_BYTES:,}")
        shared = _parts(book, _STRINGS, "si") if _STRINGS in parts else ()
        texts = [_text(entry) for entry in shared]
        sheet = min(part for part in parts if part.startswith("xl/worksheets/sheet"))
        rows, width = list[list[str]](), 0  # Excel writes no empty cells at the end
        for row in _parts(book, sheet, "row"):
            rows.append(_row(row, texts))
            width = max(width, len(rows[-1]))
            if width * len(rows) > _MOST_CELLS:
                raise ValueError(f"it has more than {_MOST_CELLS:,} cells")
        return [row + [""] * (width - len(row)) for row in rows]


def _parts(book: zipfile.ZipFile, name: str, tag: str) -> Iterator[ET.Element]:
    """Yield the elements of a name, each forgotten after its turn."""
    with book.open(name) as content:
        for _, element in ET.iterparse(content):  # noqa: S314  # expat caps what entities grow to
            if element.tag == f"{_SHEET}{tag}":
                yield element
                element.clear()


def _text(part: ET.Element) -> str:
    return "".join(text.text or "" for text in part.iter(f"{_SHEET}t"))


def _row(row: ET.Element, texts: list[str]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter(f"{_SHEET}c"):
        place = 0
        for letter in re.sub(r"[^A-Z]", "", cell.get("r", "")):
            place = 26 * place + ord(letter) - 64
        if place > _MOST_COLUMNS:
            raise ValueError(f"it has a cell {cell.get('r')}, far from the others")
        cells += [""] * (place - 1 - len(cells))
        value, kind = cell.findtext(f"{_SHEET}v") or "", cell.get("t", "n")
        if kind == "s":
            value = texts[int(value)]
        elif kind == "inlineStr":
            value = _text(cell)
        cells.append(value)
    return cells


def yaml_values(name: str, content: bytes, problems: Problems) -> tuple[Any, dict[Place, int]]:
    """A YAML tree as texts in lists and dicts, and the line of each of its parts.

    Nothing in it is executed. Values are texts, so that 2.10 keeps its digits. A name that occurs
    twice is noted as a problem, and so is an alias, which can make much of a small file.
    """
    lines: dict[Place, int] = {(): 1}
    nodes: set[int] = set()

    def built(node: yaml.Node | None, place: Place) -> object:
        if node is not None:
            lines.setdefault(place, node.start_mark.line + 1)
            if id(node) in nodes:
                problems.add(lines[place], "an alias stands for it; write the values out")
                return None
            nodes.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [built(part, (*place, number)) for number, part in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            values: dict[str, object] = {}
            for key, value in node.value:
                label, line = str(key.value), key.start_mark.line + 1
                if label in values:
                    problems.add(line, f"name {label!r}: given twice")
                lines[*place, label] = line
                values[label] = built(value, (*place, label))
            return values
        return None if node is None or node.tag == _NULL else str(node.value)

    ((text, _),) = texts_of(name, content)
    with _readable(name, "names and values in UTF-8", "is not YAML"):
        return built(yaml.compose(text, Loader=yaml.SafeLoader), ()), lines


def columns_of(path: Path, name: str) -> tuple[pd.DataFrame, int]:
    """Rows of a large table, and the number of the first as an editor shows it.

    Cells of CSV, perhaps compressed, are text, empty ones missing; those of Parquet are as stored.
    """
    is_text = path.suffix.lower() not in __PARQUET
    with _readable(name, "CSV, CSV.gz or Parquet"):
        if path.is_dir():
            raise ValueError("it is a folder")
        return (_text_columns(path, name), 2) if is_text else (pd.read_parquet(path), 1)


def _text_columns(path: Path, name: str) -> pd.DataFrame:
    try:
        rows = pd.read_csv(
            path,
            header=None,
            dtype="str",
            keep_default_na=False,
            na_values=[""],
            skip_blank_lines=False,
            encoding="utf-8-sig",
        )
        return rows.iloc[1:].set_axis(rows.iloc[0], axis=1)
    except UnicodeDecodeError:
        content = path.read_bytes()
        is_packed = path.suffix.lower() == ".gz"
        list(texts_of(name, gzip.decompress(content) if is_packed else content))
        raise


SUFFIXES: Final = frozenset({".yaml", ".yml"})

MOST_BYTES: Final = 64_000
"""Size of a scenario at most."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)

T = TypeVar("T")


def decimal_point(text: str) -> str:
    """A number with a decimal point and no other mark, unchanged.

    Examples:
        >>> decimal_point("585.2")
        '585.2'
    """
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
    """Day of ``YYYY-MM-DD``.

    Examples:
        >>> parse_day("2025-04-04")
        Timestamp('2025-04-04 00:00:00')
    """
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

    def file(
        self,
        source: str,
        name: str,
        rows: Sequence[Mapping[str, object]],
        ignored: tuple[str, ...] = (),
    ) -> FileRows:
        """Rows of one table of facts, read from this one; its problems are raised."""
        self.problems.raise_if_any()
        tables = {name: typed_frame(rows, name)}
        return FileRows(source, self.problems.file, self.sha256, tables, ignored)

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
    read = _yaml_rows if path.suffix.lower() in SUFFIXES else _csv_rows
    rows = [Row(line, cells, problems) for line, cells in read(content, columns, problems)]
    return Table(hashlib.sha256(content).hexdigest(), tuple(rows), problems)


_Rows = Iterator[tuple[int, dict[str, str]]]
"""Cells by column, with the number of their line."""


def _csv_rows(content: bytes, columns: Sequence[str], problems: Problems) -> _Rows:
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


def _yaml_rows(content: bytes, columns: Sequence[str], problems: Problems) -> _Rows:
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
    try:
        scenario = scenario_of(top, context)
    except WrongScenarioError as err:
        for fault in err.faults:
            # A field that is missing has the line of the entry around it.
            parts = (fault.place[:end] for end in range(len(fault.place), -1, -1))
            line = next(lines[part] for part in parts if part in lines)
            text = str(fault.text).rstrip(".")
            problems.add(line, ": ".join([*map(str, fault.place[-1:]), text]))
    problems.raise_if_any()
    return scenario
