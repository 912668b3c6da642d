"""Files in long format, one cell per row: CSV, compressed CSV or Parquet."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sources.files.cells import (
    CategoricalColumn,
    NumericColumn,
    categorical_column,
    is_text,
    numeric_column,
)
from sources.files.column_names import our_names
from sources.files.encodings import UTF8, encoding_of_file, utf8_stream
from store.errors import DataError, shown
from store.expansion import parquet_schema

PARQUET: Final = (".parquet", ".pq")

FEW_VALUED: Final = frozenset({"destination", "period", "name", "part_of", "available_at"})
"""Columns with few distinct values, read as codes."""

_CODES: Final = pa.dictionary(pa.int32(), pa.string())
_BLOCK_BYTES: Final = 1 << 20
_FIRST_LINES: Final = 9
"""Lines looked at for the columns: the header, and a row that blank lines may precede."""


@dataclass(frozen=True, slots=True)
class RaggedLine:
    """A line of a CSV file with too many or too few cells."""

    row: int
    destination: str
    """Blank where the line does not reach that column."""
    message: str
    """What is wrong with it, to follow ``row 3: ``."""


@dataclass(frozen=True, slots=True)
class LongFile:
    """The requested columns of a file."""

    what: str
    """Kind and path, to begin a message with."""
    columns: Mapping[str, pa.ChunkedArray]
    first_row: int
    ragged: tuple[RaggedLine, ...] = ()
    """Lines left out of the columns, in order."""
    encoding: str = UTF8

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())))

    @property
    def encoding_note(self) -> str:
        """Return a note on an encoding other than UTF-8, empty for UTF-8 and Parquet."""
        return "" if self.encoding == UTF8 else f"read as {self.encoding.upper()}"

    def row(self, place: int) -> int:
        """Return the number of a row as an editor shows it: the header of a CSV file is row 1."""
        return int(self.rows(np.array([place]))[0])

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return ``row`` of each of some places."""
        ragged = np.array([line.row for line in self.ragged], dtype=np.int64)
        before = ragged - self.first_row - np.arange(len(ragged))
        return places + self.first_row + np.searchsorted(before, places, side="right")

    def cell(self, name: str, place: int) -> str:
        """Return one cell as text for a message."""
        value = self.columns[name][int(place)].as_py()
        return "" if value is None else shown(str(value))

    def categorical(self, name: str) -> CategoricalColumn:
        """Return a column as codes into its texts; moments with a zone include the offset.

        Raises:
            DataError: The column's type cannot be converted to text.
        """
        try:
            return categorical_column(self.columns[name])
        except pa.ArrowException as err:
            raise self._wrong_type(name, "text") from err

    def numbers(self, name: str) -> NumericColumn:
        """Return a column as numbers.

        Raises:
            DataError: The column's type cannot be converted to numbers.
        """
        try:
            return numeric_column(self.columns[name])
        except pa.ArrowException as err:
            raise self._wrong_type(name, "numbers") from err

    def _wrong_type(self, name: str, expected: str) -> DataError:
        return DataError(
            f"{self.what} has {self.columns[name].type} in column {name}. Expected {expected}. "
            "Write the column anew."
        )


Pick = Callable[[Sequence[str]], Sequence[str]]
"""Selects the columns to read from those present."""


def read_long_frame(
    frame: pd.DataFrame, *, what: str, pick: Pick, given: Sequence[str] | None = None
) -> LongFile:
    """Return columns of a frame as those of a file; its first row is row 0.

    Args:
        frame: Not modified.
        what: To begin a message with, e.g. ``Panel``.
        pick: Raises DataError if a column is missing.
        given: What the frame calls ``OURS``, as ``our_names`` takes it.

    Raises:
        DataError: It has no rows, or a column that is no column of a table.
    """
    names = our_names([str(name) for name in frame.columns], given)
    columns = _picked(what, names, pick)
    if frame.empty:
        raise DataError(f"{what} has no rows. Expected a row a series and month. Fill it.")
    try:
        read = {
            name: pa.chunked_array([pa.array(frame.iloc[:, names.index(name)], from_pandas=True)])
            for name in columns
        }
    except pa.ArrowException as err:
        raise DataError(
            f"{what} has a column of several types: {err}. Expected texts or numbers. Convert it."
        ) from err
    return LongFile(what, read, 0)


def read_long_file(
    path: Path, *, what: str, pick: Pick, given: Sequence[str] | None = None
) -> LongFile:
    """Read columns of a file.

    Args:
        path: CSV, compressed CSV (by its suffix), Parquet (``PARQUET``) or a folder of that.
        what: Kind of file, to begin a message with, e.g. ``Panel``.
        pick: Selects the columns to read from those present; raises DataError if one is missing.
        given: What the file calls ``OURS``, as ``our_names`` takes it.

    Raises:
        DataError: The file does not exist, is empty, is of no known encoding, has no rows or cannot
            be read.
    """
    named = f"{what} {path}"
    read = _parquet if is_parquet(path) else _csv
    try:
        file = read(path, named, pick, given)
    except DataError:
        raise
    except FileNotFoundError as err:
        raise DataError(
            f"{named} does not exist. Expected a CSV, CSV.gz or Parquet file. Check the path."
        ) from err
    except (OSError, ValueError, EOFError, csv.Error, pa.ArrowException) as err:
        raise _unreadable(named, err) from err
    if not len(file) and not file.ragged:
        raise DataError(f"{named} has no rows. Expected a row a series and month. Fill it.")
    return file


def is_parquet(path: Path) -> bool:
    """Return whether a path is a Parquet file, or a folder of them."""
    return path.is_dir() or path.suffix.lower() in PARQUET


def _unreadable(named: str, err: Exception) -> DataError:
    text = str(err)
    if "straddling" in text:
        text = "a double quote is never closed, or a line is longer than a million characters"
    return DataError(
        f"{named} cannot be read: {text}. Expected CSV, CSV.gz or Parquet. Write it anew."
    )


def _csv(path: Path, named: str, pick: Pick, given: Sequence[str] | None) -> LongFile:
    encoding = encoding_of_file(path, named)
    header, is_padded = _header(path, encoding)
    if not header:
        raise DataError(
            f"{named} is empty. Expected a line of column names and rows below it. Fill it."
        )
    names = our_names(header, given)
    columns = _picked(named, names, pick)
    theirs = {name: header[names.index(name)] for name in columns}
    padded = {"column_names": [*header, ""], "skip_rows": 1} if is_padded else {}
    ragged: list[pacsv.InvalidRow] = []

    def set_aside(line: pacsv.InvalidRow) -> str:
        ragged.append(line)
        return "skip"

    table = pacsv.read_csv(
        utf8_stream(path, encoding),
        # With one thread Arrow knows the line numbers of ragged lines.
        read_options=pacsv.ReadOptions(use_threads=False, **padded),
        parse_options=pacsv.ParseOptions(
            invalid_row_handler=set_aside, ignore_empty_lines=False, newlines_in_values=True
        ),
        convert_options=pacsv.ConvertOptions(
            check_utf8=False,
            include_columns=list(theirs.values()),
            column_types={
                their: _CODES if name in FEW_VALUED else pa.string()
                for name, their in theirs.items()
            },
            strings_can_be_null=True,
            null_values=[""],
        ),
    )
    lines = [_ragged(named, line, names) for line in ragged]
    read = {name: table[their] for name, their in theirs.items()}
    return LongFile(named, read, 2, tuple(lines), encoding)


def _header(path: Path, encoding: str) -> tuple[list[str], bool]:
    """Return the first line's cells, none in an empty file, and whether rows end in a comma."""
    with utf8_stream(path, encoding) as stream:
        start = io.BufferedReader(stream)
        raw = b"".join(start.readline(_BLOCK_BYTES) for _ in range(_FIRST_LINES))
    lines = raw.decode("utf-8-sig", "replace").splitlines()
    header = next(csv.reader(lines[:1]), [])
    rows = list(csv.reader([line for line in lines[1:] if line.strip()]))
    ends = [row[len(header) :] == [""] for row in rows[:-1] or rows]  # the last may be cut
    return header, bool(ends) and all(ends)


def _picked(named: str, header: Sequence[str], pick: Pick) -> list[str]:
    """Return the columns to read, none of which may occur twice."""
    columns = list(pick(header))
    twice = sorted({name for name in columns if list(header).count(name) > 1})
    if twice:
        raise DataError(
            f"{named} has column {', '.join(twice)} twice. Expected it once. Rename or remove one."
        )
    return columns


def _ragged(named: str, line: pacsv.InvalidRow, header: Sequence[str]) -> RaggedLine:
    """Return what is known of a ragged line.

    A ragged line that spans several lines hides the others, so the file cannot be trusted.
    """
    if "\n" in line.text.strip():
        raise DataError(
            f"{named} has a double quote in row {line.number} that is closed lines later or never: "
            f"{shown(line.text)!r}. Expected paired quotes. Correct the quoting; nothing was used."
        )
    cells = next(csv.reader([line.text]), [])
    place = list(header).index("destination")
    message = f"{line.actual_columns} cells, not {line.expected_columns}"
    return RaggedLine(line.number, cells[place] if place < len(cells) else "", message)


def _parquet(path: Path, named: str, pick: Pick, given: Sequence[str] | None) -> LongFile:
    schema = parquet_schema(path, named)
    names = our_names(schema.names, given)
    columns = _picked(named, names, pick)
    theirs = {name: schema.names[names.index(name)] for name in columns}
    few = [
        their
        for name, their in theirs.items()
        if name in FEW_VALUED and is_text(schema.field(their).type)
    ]
    table = pq.read_table(path, columns=list(theirs.values()), read_dictionary=few)
    return LongFile(named, {name: table[their] for name, their in theirs.items()}, 1)
