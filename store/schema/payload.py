"""Frames as JSON text and back, with any column types: rows of refused files may have odd ones."""

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

_ISO: Final = "%Y-%m-%dT%H:%M:%S.%f%z"


def tables_to_json(tables: Mapping[str, pd.DataFrame]) -> str:
    """Write frames as JSON text, column by column with their types."""
    content = {name: _frame_out(frame) for name, frame in tables.items()}
    return json.dumps(content, ensure_ascii=False, allow_nan=False, default=str)


def tables_from_json(text: str) -> dict[str, pd.DataFrame]:
    """Read frames back; values and types are as they were."""
    return {name: _frame_in(columns) for name, columns in json.loads(text).items()}


def _frame_out(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"name": name, "dtype": str(frame[name].dtype), "values": _values_out(frame[name])}
        for name in frame.columns
    ]


def _values_out(series: pd.Series) -> list[Any]:
    """Return values JSON can hold: None for a missing one, text for an infinite one."""
    if pd.api.types.is_datetime64_any_dtype(series):
        series = series.dt.strftime(_ISO)
    missing = series.isna()
    return [
        None if gone else _finite(value)
        for gone, value in zip(missing, series.tolist(), strict=True)
    ]


def _finite(value: object) -> object:
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _frame_in(columns: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame({c["name"]: _values_in(c["values"], c["dtype"]) for c in columns})


def _values_in(values: list[Any], dtype: str) -> pd.Series:
    kind = pd.api.types.pandas_dtype(dtype)
    if not pd.api.types.is_datetime64_any_dtype(kind):
        return pd.Series(values, dtype=kind)
    aware = isinstance(kind, pd.DatetimeTZDtype)
    moments = pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601", utc=aware)
    return pd.Series(moments, dtype=kind)
