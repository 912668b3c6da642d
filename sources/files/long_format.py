"""Tables in long format, a row a series and month: CSV, compressed CSV, Parquet or a frame."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sources.files.csv_table import decoded
from store.arrays import Flags, Floats, Ints
from store.errors import DataError, shown
from store.expansion import Expansion, parquet_schema
from store.months import YEAR

OURS: Final = ("destination", "period", "tonnes")
"""What the columns of a panel are called here."""

NIXTLA: Final = ("unique_id", "ds", "y")
"""What Nixtla's tools call them."""

PARQUET: Final = (".parquet", ".pq")

MISSING_MARKS: Final = ("nan", "na", "n/a", "#n/a", "null", "none")
"""Words, in any case, that tools write for a missing number."""

_NUMBER: Final = r"^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf(?:inity)?))$"


def our_names(header: Sequence[str], given: Sequence[str] | None = None) -> list[str]:
    """Return a header in our own names.

    Args:
        given: What the file calls ``OURS``; where None, names of ``NIXTLA`` are ours too.
    """
    pairs = zip(given or NIXTLA, OURS, strict=True)
    ours = {their: our for their, our in pairs if given or our not in header}
    return [ours.get(name, name) for name in header]


def names_of(text: str | None) -> tuple[str, str, str] | None:
    """Return the names of series, date and value in ``--columns``."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) != len(OURS) or len(set(names)) < len(OURS) or not all(names):
        raise DataError(
            f"--columns {text!r} does not name three columns. Expected those of series, date and "
            "value, e.g. --columns sku,month,sales. Correct it."
        )
    return names[0], names[1], names[2]


def named(source: Path | pd.DataFrame, what: str) -> str:
    """Return what to call a table in messages."""
    return f"{what} {source}" if isinstance(source, Path) else what


def read_rows(
    source: Path | pd.DataFrame, what: str, *, given: Sequence[str] | None = None
) -> pd.DataFrame:
    """Return a table with columns in our own names and rows numbered as an editor shows them.

    The header of a CSV file is row 1, the first row of Parquet row 1, that of a frame row 0. Cells
    of a CSV file are text, empty ones missing.

    Args:
        source: File or frame; not modified.
        what: Kind of table, to begin a message with, e.g. ``Panel``.
        given: What it calls ``OURS``, as ``our_names`` takes it.
    """
    name = named(source, what)
    if isinstance(source, pd.DataFrame):
        frame, first = source.reset_index(drop=True), 0
    else:
        frame, first = _read(source, name)
    frame = frame.set_axis(our_names([str(one) for one in frame.columns], given), axis=1)
    if twice := sorted(set(frame.columns[frame.columns.duplicated()])):
        raise DataError(
            f"{name} has column {', '.join(twice)} twice. Expected it once. Rename or remove one."
        )
    if frame.empty:
        raise DataError(f"{name} has no rows. Expected a row a series and month. Fill it.")
    return frame.set_axis(pd.RangeIndex(first, first + len(frame)))


def _read(path: Path, name: str) -> tuple[pd.DataFrame, int]:
    """Return a file and the number of its first row."""
    expected = "Expected CSV, CSV.gz or Parquet"
    if path.is_dir():
        raise DataError(f"{name} cannot be read: it is a folder. {expected}. Check the path.")
    try:
        if path.suffix.lower() in PARQUET:
            parquet_schema(path, name)
            return pq.read_table(path).to_pandas(), 1
        return _read_csv(path, name), 2
    except DataError:
        raise
    except FileNotFoundError as err:
        raise DataError(f"{name} does not exist. {expected}. Check the path.") from err
    except (OSError, ValueError, EOFError, pa.ArrowException) as err:
        raise DataError(f"{name} cannot be read: {err}. {expected}. Write it anew.") from err


def _read_csv(path: Path, name: str) -> pd.DataFrame:
    with pa.input_stream(str(path)) as stream:
        size, expansion = 0, Expansion(name, path.stat().st_size)
        while block := stream.read(1 << 20):
            expansion.check(size := size + len(block))
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
        with pa.input_stream(str(path)) as stream:
            decoded(name, stream.read())
        raise
    except pd.errors.EmptyDataError as err:
        raise DataError(
            f"{name} is empty. Expected a line of column names and rows below it. Fill it."
        ) from err


def numbers_of(column: "pd.Series[str] | pd.Series[float]") -> tuple[Floats, Flags]:
    """Return a column as numbers, NaN where there is none, and which cells are wrong."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        plain = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
        return plain, np.zeros(len(plain), dtype=np.bool_)
    texts = pc.utf8_trim_whitespace(pa.array(column.astype("str"), pa.string(), from_pandas=True))
    is_number = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), fill_value=False)
    values = pc.if_else(is_number, texts, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
    marked = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(["", *MISSING_MARKS]))
    wrong = pc.invert(pc.or_(pc.or_(is_number, marked), pc.is_null(texts)))
    is_wrong: Flags = wrong.to_numpy(zero_copy_only=False).astype(np.bool_)
    return np.asarray(values, dtype=np.float64), is_wrong


_YEARS: Final = (1700, 2199)
"""Years accepted. Others are typing errors that would make a dense table huge."""

_MONTH: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<mark>[-/])(?P<month>\d{1,2})(?:(?P=mark)(?P<day>\d{1,2})(?:[T ].+)?)?"
    r"|(?P<solid>\d{2})(?:\d{2})?)",
    re.ASCII,
)
_OTHER: Final = re.compile(r"\d{4}-?(Q[1-4]|W\d{2})|\d{4}-\d{2}-\d{2}/\d{4}-\d{2}-\d{2}", re.ASCII)
"""Quarters and weeks, as ISO 8601 and pandas write them."""

_MONTHLY: Final = (
    "Expected one row a series and month, which is what is forecast. Add it up by month"
)

_LEAST: Final = 4
"""Different months that tell how far apart a panel's are."""

MOST_DATES: Final = 1.5
"""Dates of a series in a month, on average, beyond which they are not months."""


def read_month(text: str) -> int:
    """Return the number of the month that a text stands for: YYYY-MM, or a day in it.

    Raises:
        ValueError: It stands for none; describes why.
    """
    found = _MONTH.fullmatch(text.strip().removesuffix(".0"))
    if not found:
        raise ValueError(f"{shown(text)} is no month" if text.strip() else "period is empty")
    year, month = int(found["year"]), int(found["month"] or found["solid"])
    if not 1 <= month <= YEAR:
        raise ValueError(f"{shown(text)} is no month")
    if not _YEARS[0] <= year <= _YEARS[1]:
        raise ValueError(f"{shown(text)} lies outside the years {_YEARS[0]} to {_YEARS[1]}")
    return year * YEAR + month - 1


def months_in(
    column: "pd.Series[str]", series: "pd.Series[str]", name: str
) -> tuple[Ints, dict[int, str]]:
    """Return the number of the month of each row, -1 where it is none, and why by place."""
    codes, distinct = pd.factorize(column)
    texts = [str(one) for one in distinct]
    if 2 * sum(bool(_OTHER.fullmatch(text)) for text in texts) > len(texts):
        raise DataError(f"{name} has quarters or weeks, such as {texts[0]}. {_MONTHLY}.")
    known, faults = np.full(len(texts) + 1, -1, dtype=np.int64), {-1: "period is empty"}
    for place, text in enumerate(texts):
        try:
            known[place] = read_month(text)
        except ValueError as err:
            faults[place] = str(err)
    months = known[codes]
    _check_monthly(months, codes, series, name)
    return months, {int(row): faults[codes[row]] for row in np.flatnonzero(months < 0)}


def _check_monthly(months: Ints, codes: Ints, series: "pd.Series[str]", name: str) -> None:
    """Refuse panels of which most months hold several dates, or only every third month is there."""
    rows = pd.DataFrame({"series": series.to_numpy(), "month": months, "date": codes})
    rows = rows.loc[months >= 0]
    dates, places = (
        len(rows[keys].drop_duplicates()) for keys in (list(rows), ["series", "month"])
    )
    if dates > MOST_DATES * places:
        raise DataError(f"{name} has several dates a month, as weeks and days do. {_MONTHLY}.")
    there = np.unique(rows["month"].to_numpy())
    if len(there) >= _LEAST and (step := int(np.gcd.reduce(np.diff(there)))) > 1:
        raise DataError(f"{name} has dates that are {step} months apart. {_MONTHLY}.")
