"""Panels too large for one file: a folder of Parquet parts, each series whole in one of them.

A part is a hive folder such as ``part=0007-of-0256``; the hash of a series' name decides its part,
so parts can be processed independently.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from numpy.typing import NDArray

from sources.files.column_names import OURS
from sources.files.encodings import encoding_of_file
from sources.files.long_format import is_parquet
from sources.files.panel import PART_OF, check_columns
from store.errors import DataError, first_few

KEY: Final = "part"
ROWS: Final = 500_000
"""Approximate rows per part if the number of parts is not given."""

BYTES_A_ROW: Final = 25
"""Approximate, of a CSV file."""

MOST_PARTS: Final = 4096
BATCH: Final = 1 << 17
"""Rows in memory at once while parts are written."""

GROUP: Final = 1 << 14
"""Rows of a part written together, at least."""

_NAME: Final = re.compile(rf"{KEY}=(\d+)-of-(\d+)")


def part_of(name: str, count: int) -> int:
    """Return the part of a series: its name's BLAKE2b modulo the number of parts."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") % count


def part_name(place: int, count: int) -> str:
    """Return the folder's name of a part."""
    return f"{KEY}={_label(place, count)}"


def parts_of(folder: Path) -> list[Path]:
    """Return the folders of the parts that a panel has, in order.

    Raises:
        DataError: The folder is no panel in parts, or its parts are not of one division.
    """
    found = {path: match for path in _folders(folder) if (match := _NAME.fullmatch(path.name))}
    if not found:
        raise DataError(
            f"Panel {folder} has no parts. Expected folders such as {part_name(7, 256)}. "
            f"Divide it first: `magnetcast partition --panel {folder} --out FOLDER`."
        )
    counts = sorted({int(match[2]) for match in found.values()})
    if len(counts) > 1:
        raise DataError(
            f"Panel {folder} has parts of {first_few([str(count) for count in counts])}. "
            "Expected one division. Divide it anew into an empty folder."
        )
    return sorted(found, key=lambda path: int(found[path][1]))


def check_homes(part: Path, names: Sequence[str]) -> None:
    """Check that all series of a part belong to it.

    Raises:
        DataError: One does not; its other months may then be in another part.
    """
    match = _NAME.fullmatch(part.name)
    assert match is not None  # noqa: S101 - by parts_of
    place, count = int(match[1]), int(match[2])
    strays = [name for name in names if part_of(name, count) != place]
    if strays:
        raise DataError(
            f"Part {part} has series that belong elsewhere: {first_few(strays)}. Expected those "
            f"whose hash is {place} of {count}. Divide the panel anew: `magnetcast partition`."
        )


def write_parts(panel: Path, out: Path, *, count: int | None) -> int:
    """Divide a panel into parts, a batch of rows at a time, and return their number.

    Cells are copied as they are; they are checked when a part is read.

    Args:
        panel: CSV or Parquet file, or a folder of Parquet files.
        out: Folder for the parts; must not hold any.
        count: Number of parts; None for parts of some half a million rows.

    Raises:
        DataError: The panel cannot be read or lacks a column, or the folder is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise DataError(f"Folder {out} is not empty. Expected a new one. Take another --out.")
    rows = _dataset(panel)
    number = _number(panel, rows) if count is None else count
    if not 1 <= number <= MOST_PARTS:
        raise DataError(
            f"--parts {number} is no number of parts. Expected 1 to {MOST_PARTS}. Take another."
        )
    schema = pa.schema([(name, _plain(rows.schema.field(name).type)) for name in OURS])
    placed = pa.schema([(KEY, pa.string()), *schema])
    try:
        pads.write_dataset(
            pa.RecordBatchReader.from_batches(placed, _placed(rows, placed, number)),
            out,
            format="parquet",
            partitioning=pads.partitioning(pa.schema([(KEY, pa.string())]), flavor="hive"),
            basename_template="rows-{i}.parquet",
            max_partitions=MOST_PARTS,
            max_open_files=MOST_PARTS,
            min_rows_per_group=GROUP,
            use_threads=False,
        )
    except (OSError, pa.ArrowException) as err:
        raise _unreadable(panel, err) from err
    return number


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"Panel {folder} is no folder. Expected a panel in parts. Check the path.")
    return [path for path in folder.iterdir() if path.is_dir()]


def _dataset(panel: Path) -> pads.Dataset:
    if not panel.exists():
        raise DataError(f"Panel {panel} does not exist. Expected a file or folder. Check the path.")
    as_text = pa.csv.ConvertOptions(column_types=dict.fromkeys(OURS, pa.string()))
    form: str | pads.CsvFileFormat = "parquet"
    try:
        if not is_parquet(panel):
            read = pa.csv.ReadOptions(encoding=encoding_of_file(panel, f"Panel {panel}"))
            form = pads.CsvFileFormat(convert_options=as_text, read_options=read)
        rows = pads.dataset(panel, format=form)
    except DataError:
        raise
    except (OSError, ValueError, pa.ArrowException) as err:
        raise _unreadable(panel, err) from err
    check_columns(f"Panel {panel}", rows.schema.names)
    if PART_OF in rows.schema.names:
        raise DataError(
            f"Panel {panel} has sums in its column {PART_OF}. Expected no such column: parts "
            "are forecast apart, sums need all series at once. Leave the column out."
        )
    return rows


def _number(panel: Path, rows: pads.Dataset) -> int:
    files = [Path(file) for file in rows.files]
    size = rows.count_rows() if is_parquet(panel) else panel.stat().st_size // BYTES_A_ROW
    return min(max(1, -(-size // ROWS)), MOST_PARTS) if files else 1


def _placed(rows: pads.Dataset, schema: pa.Schema, count: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows with their part, which is the same for all rows of a series."""
    scanned = rows.to_batches(columns=list(OURS), batch_size=BATCH, use_threads=False)
    for batch in scanned:
        if not batch.num_rows:
            continue
        column = batch.column("destination")
        if not pa.types.is_dictionary(column.type):
            column = pc.dictionary_encode(column)
        texts = [text or "" for text in column.dictionary.cast(pa.string()).to_pylist()]
        homes = np.array([*(part_of(text, count) for text in texts), part_of("", count)], np.int32)
        codes = column.indices.cast(pa.int32()).fill_null(len(texts)).to_numpy()
        yield _batch(batch, homes[codes], schema, count)


def _batch(
    batch: pa.RecordBatch, homes: NDArray[np.int32], schema: pa.Schema, count: int
) -> pa.RecordBatch:
    labels = [_label(place, count) for place in range(count)]
    parts = pa.DictionaryArray.from_arrays(homes, labels).cast(pa.string())
    cells = [batch.column(name).cast(schema.field(name).type) for name in OURS]
    return pa.record_batch([parts, *cells], schema=schema)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column's values: a dictionary would follow its rows into every part."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _label(place: int, count: int) -> str:
    return f"{place:04d}-of-{count:04d}"


def _unreadable(panel: Path, err: Exception) -> DataError:
    return DataError(
        f"Panel {panel} cannot be read or divided: {err}. Expected CSV, CSV.gz or Parquet. "
        "Write it anew."
    )
