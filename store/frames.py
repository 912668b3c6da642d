"""Between rows of a table and typed pandas frames, both ways."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, TypeAlias

import pandas as pd
from sqlalchemy import Boolean, Column, Date, Float, Integer, Row, Table

from store.columns import UtcMoment
from store.tables import metadata

Scalar: TypeAlias = str | float | int | bool | date | datetime | None

DATE_DTYPE: Final = "datetime64[us]"
MOMENT_DTYPE: Final = "datetime64[us, UTC]"

_DTYPES: Final = {
    UtcMoment: MOMENT_DTYPE,
    Date: DATE_DTYPE,
    Boolean: "bool",
    Integer: "int64",
    Float: "float64",
}

_PLAIN: Final[dict[str, Callable[[Any], Scalar]]] = {
    MOMENT_DTYPE: lambda moment: moment.to_pydatetime(),
    DATE_DTYPE: lambda moment: pd.Timestamp(moment).date(),
}
"""How a pandas value becomes what the database driver takes; others pass as they are."""


def dtype_of(column: Column[Any]) -> str:
    """Return the pandas dtype of a table's column; text is ``str``."""
    for sql_type, dtype in _DTYPES.items():
        if isinstance(column.type, sql_type):
            return dtype
    return "str"


def frame_of(rows: Sequence[Row[Any]], columns: Sequence[Column[Any]]) -> pd.DataFrame:
    """Build a typed frame of fetched rows; with no row the columns still carry their types."""
    frame = pd.DataFrame([tuple(row) for row in rows], columns=[column.name for column in columns])
    return frame.astype({column.name: dtype_of(column) for column in columns})


def typed_frame(rows: Sequence[Mapping[str, object]], table: str) -> pd.DataFrame:
    """Build a typed frame with all columns of the table called ``table``, in its order."""
    columns = metadata.tables[table].columns
    frame = pd.DataFrame(list(rows), columns=[column.name for column in columns])
    return frame.astype({column.name: dtype_of(column) for column in columns})


def records_of(frame: pd.DataFrame, table: Table) -> list[dict[str, Scalar]]:
    """Turn a frame into rows for ``table``; columns the table lacks are left out."""
    names = [column.name for column in table.columns if column.name in frame.columns]
    values = [_scalars(frame[name], table.columns[name]) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _scalars(series: pd.Series, column: Column[Any]) -> list[Scalar]:
    """Turn one column into Python scalars, missing values into None."""
    plain = _PLAIN.get(dtype_of(column), _as_is)
    values = zip(series.isna(), series.astype(object), strict=True)
    return [None if missing else plain(value) for missing, value in values]


def _as_is(value: Scalar) -> Scalar:
    """Return the value."""
    return value
