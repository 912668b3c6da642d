"""Responses ready to send: bytes, media type and entity tag."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

_JSON: Final = "application/json"
CSV: Final = "text/csv; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"
ATOM: Final = "application/atom+xml; charset=utf-8"
CALENDAR: Final = "text/calendar; charset=utf-8"

ORIGIN: Final = "https://magnetcast.invalid"
"""Placeholder in pages for the scheme and host by which the reader reached the service."""

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", *"＝＋－＠")  # noqa: RUF001
"""A spreadsheet reads a text that begins with one of these as a formula, full-width ones in Asia.
Source: OWASP, CSV injection."""

GRAMS: Final = 6
"""Decimals of tonnes in responses."""

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; equal bytes have equal tags."""

    body: bytes
    media: str
    etag: str


def answer_of(body: bytes, media: str) -> Answer:
    """Response from its bytes, with their tag."""
    return Answer(body, media, f'"{hashlib.sha256(body).hexdigest()[:24]}"')


def json_answer(value: object) -> Answer:
    """Value as JSON; NaN raises ValueError."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return answer_of(text.encode(), _JSON)


def csv_answer(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> Answer:
    """Rows as CSV in which no text is read as a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row[name] is None else harmless(row[name]) for name in columns])
    return answer_of(buffer.getvalue().encode(), CSV)


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
