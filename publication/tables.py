"""Tables as files: plain records, CSV and JSON."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", *"＝＋－＠")  # noqa: RUF001
"""A spreadsheet reads a text that begins with one of these as a formula, full-width ones in Asia.
Source: OWASP, CSV injection."""

GRAMS: Final = 6
"""Decimals of tonnes in files."""

Record = dict[str, Any]


def json_text(value: object) -> str:
    """Value as JSON; NaN raises ValueError."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def csv_text(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """Rows as CSV in which no text is read as a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row[name] is None else harmless(row[name]) for name in columns])
    return buffer.getvalue()


def harmless(value: object) -> object:
    """Cell for a spreadsheet; a text that looks like a formula gets a quote in front."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def records(frame: pd.DataFrame) -> list[Record]:
    """Rows as plain values: days and UTC moments as ISO text, missing values as None."""
    plain = pd.DataFrame({name: _plain(frame[name]) for name in frame.columns}, dtype=object)
    rows: list[Record] = plain.to_dict("records")  # type: ignore[assignment]  # names are text
    return rows


def _plain(column: pd.Series) -> pd.Series:
    missing = column.isna()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    elif pd.api.types.is_datetime64_dtype(column):
        column = column.dt.strftime("%Y-%m-%d")
    elif pd.api.types.is_float_dtype(column):
        column = column.round(GRAMS)
    return pd.Series(column.astype(object).mask(missing, None), dtype=object)
