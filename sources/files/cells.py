"""Cells of users' files, decoded: repeated texts as codes, numbers as floats, months as numbers."""

import calendar
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from store.errors import counted, shown

MISSING_MARKS: Final = ("nan", "na", "n/a", "#n/a", "null", "none")
"""Words, in any case, that tools write for a missing number."""

_NUMBER: Final = r"^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf(?:inity)?))$"

_NO_CODE: Final = -1

_PeriodType: Final = type(pa.array(pd.PeriodIndex(["2000-01"], freq="M")).type)
"""Type of pandas periods in Parquet. Creating one registers it; otherwise Arrow reads numbers."""


@dataclass(frozen=True, slots=True)
class CategoricalColumn:
    """A column of few distinct texts."""

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
    """Rows whose cell is filled but is not a number."""
    marked: int
    """Number of rows with a word for a missing value, such as nan."""


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def categorical_column(column: pa.ChunkedArray) -> CategoricalColumn:
    """Return a column as codes into its sorted texts."""
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


def numeric_column(column: pa.ChunkedArray) -> NumericColumn:
    """Return a column as floats."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (is_text(column.type) or pa.types.is_boolean(column.type)):
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
    """Return the numbers among texts, flagging those that are not."""
    texts = pc.utf8_trim_whitespace(column)
    marked = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(MISSING_MARKS))
    number = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), fill_value=False)
    values = _floats(pc.if_else(number, texts, None).cast(pa.float64()))
    filled = pc.fill_null(pc.greater(pc.utf8_length(texts), 0), fill_value=False)
    wrong = pc.and_not(pc.and_not(filled, number), marked)
    return NumericColumn(values, wrong.to_numpy(), int(pc.sum(marked).as_py() or 0))


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.to_numpy(), dtype=np.float64)


NO_MONTH: Final = -1
"""Marks a text that is not a month."""

MONTHS: Final = 12
"""Months of a year."""

YEARS: Final = (1700, 2199)
"""Years accepted. Others are typing errors that would make a dense table huge."""

_CLOCK: Final = r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?Z| ?UTC|[+-]\d{2}:?\d{2})?"
_PARTED: Final = re.compile(
    rf"(?P<year>\d{{4}})(?P<mark>[-/])(?P<month>\d{{1,2}})"
    rf"(?:(?P=mark)(?P<day>\d{{1,2}})(?P<clock>{_CLOCK})?)?",
    re.ASCII,
)
_SOLID: Final = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})?", re.ASCII)
_YEAR_LAST: Final = re.compile(r"\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}.*", re.ASCII)


@dataclass(frozen=True, slots=True)
class MonthTexts:
    """The months of some texts; all fields have the same length."""

    numbers: NDArray[np.int32]
    """Month numbers (year * 12 + month - 1), ``NO_MONTH`` where a text is none."""
    forms: tuple[str, ...]
    """How the text is written, e.g. ``YYYY-MM``; empty where it is no month."""
    faults: tuple[str, ...]
    """Why the text is no month; empty where it is one."""


def month_label(number: int) -> str:
    """Return a numbered month as ``YYYY-MM``."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def read_months(texts: Sequence[str]) -> MonthTexts:
    """Return the months of texts.

    Read are YYYY-MM, YYYY-M, YYYY/MM, YYYYMM, a day of the month in these forms and ISO 8601 dates
    with a time, of which the month is taken as written, whatever the offset.
    """
    numbers = np.full(len(texts), NO_MONTH, dtype=np.int32)
    forms, faults = [""] * len(texts), [""] * len(texts)
    for place, text in enumerate(texts):
        try:
            numbers[place], forms[place] = month_and_form(text)
        except ValueError as err:
            faults[place] = str(err)
    return MonthTexts(numbers, tuple(forms), tuple(faults))


def form_note(texts: MonthTexts, places: NDArray[np.int32]) -> str:
    """Return a note if the months of some rows are written in more than one form, else "".

    Args:
        texts: The distinct texts.
        places: Place in ``texts`` by row.
    """
    rows_of = np.bincount(places % max(1, len(texts.forms)), minlength=len(texts.forms))
    counts: Counter[str] = Counter()
    for form, rows in zip(texts.forms, rows_of.tolist(), strict=True):
        counts[form] += rows if form else 0
    counted_forms = [f"{form} ({counted(rows, 'row')})" for form, rows in sorted((+counts).items())]
    return (
        f"period is written in {len(counted_forms)} forms: {', '.join(counted_forms)}"
        if len(counted_forms) > 1
        else ""
    )


def month_and_form(text: str) -> tuple[int, str]:
    """Return the number of a month and the form it is written in.

    Raises:
        ValueError: The text is not a month; describes why.
    """
    text = text.strip()
    found = _PARTED.fullmatch(text) or _SOLID.fullmatch(text)
    if not found:
        raise ValueError(_no_month(text))
    parts = found.groupdict()
    year, month, day = int(parts["year"]), int(parts["month"]), parts["day"]
    if not 1 <= month <= MONTHS:
        raise ValueError(f"{text} is no month")
    if not YEARS[0] <= year <= YEARS[1]:
        raise ValueError(f"{text} lies outside the years {YEARS[0]} to {YEARS[1]}")
    if day and not 1 <= int(day) <= calendar.monthrange(year, month)[1]:
        raise ValueError(f"{text} is no day")
    mark = parts.get("mark") or ""
    form = mark.join(["YYYY", "MM", "DD"] if day else ["YYYY", "MM"])
    return year * 12 + month - 1, f"{form} with a time" if parts.get("clock") else form


def _no_month(text: str) -> str:
    if not text:
        return "period is empty"
    if _YEAR_LAST.fullmatch(text):
        return f"{shown(text)} is not written year first, so its month is doubtful"
    return f"{shown(text)} is no month"
