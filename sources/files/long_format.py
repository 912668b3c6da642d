"""Files of long rows from outside: one cell a row, in CSV, compressed CSV or Parquet."""

import codecs
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sources.files.messages import shown
from store.errors import DataError

PARQUET: Final = (".parquet", ".pq")

FEW_VALUED: Final = frozenset({"destination", "period", "name", "part_of", "available_at"})
"""Columns that say the same few things again and again; read as codes into what they say."""

MISSING_MARKS: Final = ("nan", "na", "n/a", "#n/a", "null", "none")
"""Words, in any case, that stand for no number, as tools write it."""

_NUMBER: Final = r"^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf(?:inity)?))$"
_CODES: Final = pa.dictionary(pa.int32(), pa.string())
_BLOCK_BYTES: Final = 1 << 20
_NO_CODE: Final = -1

_PeriodType: Final = type(pa.array(pd.PeriodIndex(["2000-01"], freq="M")).type)
"""pandas' periods in Parquet. Making one tells Arrow of the type, which otherwise reads numbers."""


@dataclass(frozen=True, slots=True)
class CategoricalColumn:
    """A column of few different texts."""

    texts: tuple[str, ...]
    """Sorted, none twice, none blank; not stripped."""
    codes: NDArray[np.int32]
    """Place in ``texts`` by row; -1 where the cell is blank."""


@dataclass(frozen=True, slots=True)
class NumericColumn:
    """A column of numbers."""

    floats: NDArray[np.float64]
    """By row; NaN where the cell holds none."""
    wrong: NDArray[np.bool_]
    """Rows whose cell is filled but no number."""
    marked: int
    """Rows whose cell says in a word that there is no number."""


@dataclass(frozen=True, slots=True)
class RaggedLine:
    """A line of a CSV file with too many or too few cells."""

    row: int
    destination: str
    """Blank where the line does not reach that column."""
    told: str
    """What is wrong with it, to follow ``row 3: ``."""


@dataclass(frozen=True, slots=True)
class LongFile:
    """The columns asked for, as the file has them."""

    what: str
    """Kind and path, to begin a message with."""
    columns: Mapping[str, pa.ChunkedArray]
    first_row: int
    torn: tuple[RaggedLine, ...] = ()
    """Lines left out of the columns, in order."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values())))

    def row(self, place: int) -> int:
        """Return the number of a row as an editor shows it: the header of a CSV file is row 1."""
        return int(self.rows(np.array([place]))[0])

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return ``row`` of each of some places."""
        torn = np.array([line.row for line in self.torn], dtype=np.int64)
        before = torn - self.first_row - np.arange(len(torn))
        return places + self.first_row + np.searchsorted(before, places, side="right")

    def cell(self, name: str, place: int) -> str:
        """Return one cell as text for a message."""
        value = self.columns[name][int(place)].as_py()
        return "" if value is None else shown(str(value))

    def coded(self, name: str) -> CategoricalColumn:
        """Return a column as codes into its texts; moments with a zone say its offset.

        Raises:
            DataError: The column is of a type that cannot be told as text.
        """
        try:
            return _coded(self.columns[name])
        except pa.ArrowException as err:
            raise self._wrong_type(name, "text") from err

    def numbers(self, name: str) -> NumericColumn:
        """Return a column as numbers.

        Raises:
            DataError: The column is of a type that has no numbers.
        """
        try:
            return _numbers(self.columns[name])
        except pa.ArrowException as err:
            raise self._wrong_type(name, "numbers") from err

    def _wrong_type(self, name: str, expected: str) -> DataError:
        return DataError(
            f"{self.what} has {self.columns[name].type} in column {name}. Expected {expected}. "
            "Write the column anew."
        )


def read_long_file(
    path: Path, *, what: str, pick: Callable[[Sequence[str]], Sequence[str]]
) -> LongFile:
    """Read columns of a file.

    Args:
        path: CSV, compressed CSV (by its suffix), Parquet (``PARQUET``) or a folder of that.
        what: Kind of file, to begin a message with, e.g. ``Panel``.
        pick: Returns which of the columns there are to read; raises DataError where one lacks.

    Raises:
        DataError: The file does not exist, is empty, is not UTF-8, has no rows or cannot be read.
    """
    named = f"{what} {path}"
    read = _parquet if path.is_dir() or path.suffix.lower() in PARQUET else _csv
    try:
        file = read(path, named, pick)
    except DataError:
        raise
    except FileNotFoundError as err:
        raise DataError(
            f"{named} does not exist. Expected a CSV, CSV.gz or Parquet file. Check the path."
        ) from err
    except (OSError, ValueError, EOFError, csv.Error, pa.ArrowException) as err:
        raise _unreadable(named, err) from err
    if not len(file) and not file.torn:
        raise DataError(f"{named} has no rows. Expected a row a series and month. Fill it.")
    return file


def _unreadable(named: str, err: Exception) -> DataError:
    text = str(err)
    if "straddling" in text:
        text = "a double quote is never closed, or a line is longer than a million characters"
    return DataError(
        f"{named} cannot be read: {text}. Expected CSV, CSV.gz or Parquet. Write it anew."
    )


def _csv(path: Path, named: str, pick: Callable[[Sequence[str]], Sequence[str]]) -> LongFile:
    _check_utf8(path, named)
    header = _header(path)
    if not header:
        raise DataError(
            f"{named} is empty. Expected a line of column names and rows below it. Fill it."
        )
    columns = _picked(named, header, pick)
    torn: list[pacsv.InvalidRow] = []

    def set_aside(line: pacsv.InvalidRow) -> str:
        torn.append(line)
        return "skip"

    table = pacsv.read_csv(
        str(path),
        # On one thread Arrow knows the numbers of torn lines.
        read_options=pacsv.ReadOptions(use_threads=False),
        parse_options=pacsv.ParseOptions(
            invalid_row_handler=set_aside, ignore_empty_lines=False, newlines_in_values=True
        ),
        convert_options=pacsv.ConvertOptions(
            check_utf8=False,
            include_columns=columns,
            column_types={name: _CODES if name in FEW_VALUED else pa.string() for name in columns},
            strings_can_be_null=True,
            null_values=[""],
        ),
    )
    lines = [_torn(named, line, header) for line in torn]
    return LongFile(named, {name: table[name] for name in columns}, 2, tuple(lines))


def _check_utf8(path: Path, named: str) -> None:
    """Refuse a file that is no UTF-8 anywhere: its names would be read as others."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 1
    with pa.input_stream(str(path)) as stream:
        while True:
            block = stream.read(_BLOCK_BYTES)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as err:
                lines += err.object[: err.start].count(b"\n")
                raise DataError(
                    f"{named} is not UTF-8: byte 0x{err.object[err.start]:02x} on line {lines}. "
                    "Expected UTF-8 text. Save the file as UTF-8; nothing was used."
                ) from err
            if not block:
                return
            lines += block.count(b"\n")


def _header(path: Path) -> list[str]:
    """Return the cells of the first line; none where the file is empty."""
    with pa.input_stream(str(path)) as stream:
        start = io.BufferedReader(stream).readline(_BLOCK_BYTES)
    lines = start.decode("utf-8-sig").splitlines()
    return next(csv.reader(lines[:1]), [])


def _picked(
    named: str, header: Sequence[str], pick: Callable[[Sequence[str]], Sequence[str]]
) -> list[str]:
    """Return the columns to read, none of which may stand twice."""
    columns = list(pick(header))
    twice = sorted({name for name in columns if list(header).count(name) > 1})
    if twice:
        raise DataError(
            f"{named} has column {', '.join(twice)} twice. Expected it once. Rename or remove one."
        )
    return columns


def _torn(named: str, line: pacsv.InvalidRow, header: Sequence[str]) -> RaggedLine:
    """Return what is known of a torn line.

    A torn line that goes on over others has lost them their place, so the file cannot be trusted.
    """
    if "\n" in line.text.strip():
        raise DataError(
            f"{named} has a double quote in row {line.number} that is closed lines later or never: "
            f"{shown(line.text)!r}. Expected paired quotes. Correct the quoting; nothing was used."
        )
    cells = next(csv.reader([line.text]), [])
    place = list(header).index("destination")
    told = f"{line.actual_columns} cells, not {line.expected_columns}"
    return RaggedLine(line.number, cells[place] if place < len(cells) else "", told)


def _parquet(path: Path, named: str, pick: Callable[[Sequence[str]], Sequence[str]]) -> LongFile:
    schema = pq.ParquetDataset(path).schema
    columns = _picked(named, schema.names, pick)
    few = [name for name in columns if name in FEW_VALUED and _is_text(schema.field(name).type)]
    table = pq.read_table(path, columns=columns, read_dictionary=few)
    return LongFile(named, {name: table[name] for name in columns}, 1)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _coded(column: pa.ChunkedArray) -> CategoricalColumn:
    kind = column.type
    if isinstance(kind, _PeriodType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    chunks = column.unify_dictionaries().chunks
    if not chunks:
        return CategoricalColumn((), np.empty(0, dtype=np.int32))
    texts = _texts(chunks[0].dictionary, kind)
    codes = np.concatenate(
        [chunk.indices.cast(pa.int32()).fill_null(_NO_CODE).to_numpy() for chunk in chunks]
    )
    unique = sorted({text for text in texts if text.strip()})
    place = {text: code for code, text in enumerate(unique)}
    renumbered = np.array(
        [*(place.get(text, _NO_CODE) for text in texts), _NO_CODE], dtype=np.int32
    )
    return CategoricalColumn(tuple(unique), renumbered[codes])


def _texts(values: pa.Array, kind: pa.DataType) -> list[str]:
    """Return distinct values of a column as text; "" for none."""
    if isinstance(kind, _PeriodType):
        return list(pa.ExtensionArray.from_storage(kind, values).to_pandas().astype(str))
    return [text or "" for text in values.cast(pa.string()).to_pylist()]


def _numbers(column: pa.ChunkedArray) -> NumericColumn:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (_is_text(column.type) or pa.types.is_boolean(column.type)):
        values = _floats(column.cast(pa.float64(), safe=False))
        return NumericColumn(values, np.zeros(len(values), dtype=bool), 0)
    column = column.cast(pa.string())
    try:
        cast = column.cast(pa.float64())
    except pa.ArrowInvalid:
        return _doubtful_numbers(column)
    values = _floats(cast)
    marked = int(np.isnan(values).sum()) - cast.null_count
    return NumericColumn(values, np.zeros(len(values), dtype=bool), marked)


def _doubtful_numbers(column: pa.ChunkedArray) -> NumericColumn:
    """Return the numbers of texts of which some are none."""
    texts = pc.utf8_trim_whitespace(column)
    marked = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(MISSING_MARKS))
    number = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), fill_value=False)
    values = _floats(pc.if_else(number, texts, None).cast(pa.float64()))
    filled = pc.fill_null(pc.greater(pc.utf8_length(texts), 0), fill_value=False)
    wrong = pc.and_not(pc.and_not(filled, number), marked)
    return NumericColumn(values, wrong.to_numpy(), int(pc.sum(marked).as_py() or 0))


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return numbers with NaN for none."""
    return np.asarray(column.to_numpy(), dtype=np.float64)
