"""Cells of users' files, decoded: repeated texts as codes, numbers as floats."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

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
