"""Frames as table rows and as JSON text, and back, column by column with their types."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from sqlalchemy import Boolean, Column, CursorResult, Date, Float, Integer, Table

from store.schema.database_tables import TEXT_FORMAT, UtcMoment, metadata, source_columns

Scalar: TypeAlias = str | float | int | bool | date | datetime | None

DATE_DTYPE: Final = "datetime64[us]"
MOMENT_DTYPE: Final = "datetime64[us, UTC]"

_PORTION: Final = 1_000
"""Rows fetched from the database at once."""

_DTYPES: Final = {
    UtcMoment: MOMENT_DTYPE,
    Date: DATE_DTYPE,
    Boolean: "bool",
    Integer: "int64",
    Float: "float64",
}

_TEXT_OF: Final = {MOMENT_DTYPE: TEXT_FORMAT, DATE_DTYPE: "%Y-%m-%d"}
"""How times are written for the database; other types pass unchanged."""


def dtype_of(column: Column[Any]) -> str:
    """The pandas dtype of a table's column; text is ``str``."""
    for sql_type, dtype in _DTYPES.items():
        if isinstance(column.type, sql_type):
            return "Int64" if dtype == "int64" and column.nullable else dtype
    return "str"


def frame_of(rows: CursorResult[Any] | None, columns: Sequence[Column[Any]]) -> pd.DataFrame:
    """Build a typed frame of fetched rows; without rows the columns are still typed."""
    values: list[list[Any]] = [[] for _ in columns]
    # In portions, so that only one is in memory as rows while the columns grow.
    for portion in [] if rows is None else rows.partitions(_PORTION):
        for column_values, new in zip(values, zip(*portion, strict=True), strict=True):
            column_values.extend(new)
    typed = {
        column.name: _typed(column_values, dtype_of(column))
        for column, column_values in zip(columns, values, strict=True)
    }
    return pd.DataFrame(typed)


def typed_frame(rows: Sequence[Mapping[str, object]] | pd.DataFrame, table: str) -> pd.DataFrame:
    """Rows as a typed frame with all columns a source fills of a table, in its order."""
    columns = source_columns(metadata.tables[table])
    plain = rows if isinstance(rows, pd.DataFrame) else list(rows)
    frame = pd.DataFrame(plain, columns=[column.name for column in columns])
    return frame.astype({column.name: dtype_of(column) for column in columns})


def as_table(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The columns of a frame that ``table`` has, in its order and with its types."""
    columns = [column for column in table.columns if column.name in frame.columns]
    picked = frame[[column.name for column in columns]]
    return picked.astype({column.name: dtype_of(column) for column in columns})


def driver_rows(frame: pd.DataFrame) -> list[tuple[Scalar, ...]]:
    """Rows that both database drivers accept: times as text, missing values as None."""
    columns = [_plain(frame[name]) for name in frame.columns]
    return list(zip(*columns, strict=True))


def _typed(values: list[Any], dtype: str) -> pd.Series:
    if dtype in _TEXT_OF:
        # A column of times has few distinct values.
        codes, distinct = pd.factorize(np.array(values, dtype=object))
        times = pd.DatetimeIndex(pd.to_datetime([*distinct, None], format="ISO8601", utc=True))
        moments = times.as_unit("us").take(codes)
        return pd.Series(moments if dtype == MOMENT_DTYPE else moments.tz_localize(None))
    return pd.Series(values, dtype=pd.api.types.pandas_dtype(dtype))


def _plain(series: pd.Series) -> list[Scalar]:
    if (written := _TEXT_OF.get(str(series.dtype))) is None:
        if not series.hasnans:
            return list(series.tolist())
        return [None if value is pd.NA or value != value else value for value in series.tolist()]  # noqa: PLR0124
    codes, distinct = pd.factorize(series)
    texts = [*pd.DatetimeIndex(distinct).strftime(written), None]
    return [texts[code] for code in codes]


def tables_to_json(tables: Mapping[str, pd.DataFrame]) -> str:
    """Write frames as JSON text, column by column with their types."""
    content = {
        name: [
            {
                "name": column,
                "dtype": str(values.dtype),
                "values": values.astype(object).where(values.notna(), None).tolist(),
            }
            for column, values in frame.items()
        ]
        for name, frame in tables.items()
    }
    return json.dumps(content, ensure_ascii=False, default=str)


def tables_from_json(text: str) -> dict[str, pd.DataFrame]:
    """Read frames back; values and types are as they were."""
    return {
        name: pd.DataFrame({c["name"]: pd.Series(c["values"], dtype=c["dtype"]) for c in columns})
        for name, columns in json.loads(text).items()
    }
