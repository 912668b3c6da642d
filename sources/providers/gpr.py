"""The monthly geopolitical risk index, from its authors' file."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import pandas as pd
from python_calamine import CalamineError, CalamineWorkbook

from sources.base import MonthRange, SourceInfo
from sources.providers.http_source import HttpSource
from sources.providers.rows import (
    covariates,
    is_over,
    left_out,
    readable,
    refuse_missing,
    usual_moment,
    whole_csv,
)
from store.expansion import Expansion
from store.facts.batch import FileRows

PROVIDER: Final = "gpr"
FILE: Final = "/data_gpr_export.xls"

LAG_DAYS: Final = 15
"""Usual lag: the file is renewed in the first days of the next month. Source: docs/data/gpr.md."""

SERIES: Final[Mapping[str, str]] = {
    "GPR": "gpr",
    "GPRT": "gpr_threats",
    "GPRA": "gpr_acts",
    "GPRC_CHN": "gpr_china",
    "GPRC_USA": "gpr_usa",
}
"""Columns of the file and their names here; the last two are shares of articles, in percent."""

_BINARY: Final = (b"\xd0\xcf\x11\xe0", b"PK\x03\x04")
"""First bytes of .xls and .xlsx; anything else is read as CSV."""


@dataclass(frozen=True, slots=True)
class GeopoliticalRisk(HttpSource):
    """The index, its parts, and those of China and the USA."""

    info: ClassVar = SourceInfo(PROVIDER, completeness=0.9)
    provider: ClassVar = PROVIDER

    def fetch(self, span: MonthRange, *, now: pd.Timestamp) -> FileRows:
        """Fetch the file; as ``LiveSource.fetch``. An unfinished month has no row."""
        with self.client() as http:
            reply = http.get(FILE, read=read_index, accept="*/*")
        frame, broken = reply.value or (pd.DataFrame(columns=["period", *SERIES]), 0)
        frame = frame[frame["period"].between(span.begin, span.last.start_time)]
        frame = frame[is_over(frame["period"], now)]
        parts = [
            frame[["period"]].assign(
                name=series,
                value=frame[column],
                unit="pct" if column.startswith("GPRC") else "index",
                available_at=usual_moment(frame["period"], lag_days=LAG_DAYS, now=now),
            )
            for column, series in SERIES.items()
        ]
        frame = covariates(parts, source=PROVIDER, source_url=f"{self.url}{FILE}")
        ignored, wanted = left_out(broken, "months"), f"the indices {', '.join(SERIES)}"
        return self.file(span, http, {"covariates": frame}, wanted=wanted, ignored=ignored)


def read_index(body: bytes) -> tuple[pd.DataFrame, int]:
    """Return ``period`` and the series of the file, and how many of its rows cannot be read.

    Raises:
        ValueError: It is no workbook and no whole CSV, or has a month twice.
        SourceError: It lacks a column, or most rows cannot be read.
    """
    frame = _workbook(body) if body.startswith(_BINARY) else whole_csv(body)
    refuse_missing(frame, ("month", *SERIES), provider=PROVIDER, url=FILE)
    frame = frame[frame["month"].astype("str").str.strip().ne("")]
    rows, broken = readable(frame, tuple(SERIES), provider=PROVIDER, url=FILE)
    days = pd.to_datetime(rows["month"].astype("str"), errors="coerce")
    broken, rows = broken + int(days.isna().sum()), rows[days.notna()]
    if 2 * broken > len(frame):
        raise ValueError(f"{broken} of {len(frame)} months cannot be read")
    months = days.dropna().dt.to_period("M").dt.to_timestamp()
    if months.duplicated().any():
        raise ValueError("it has a month twice")
    return rows[list(SERIES)].assign(period=months.astype("datetime64[us]")), broken


def _workbook(body: bytes) -> pd.DataFrame:
    if zipfile.is_zipfile(io.BytesIO(body)):
        parts = zipfile.ZipFile(io.BytesIO(body)).infolist()
        Expansion("The workbook", len(body)).check(sum(part.file_size for part in parts))
    try:
        rows = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0).to_python()
    except CalamineError as err:
        raise ValueError(f"no workbook: {err}") from err
    if not rows:
        raise ValueError("its first sheet is empty")
    return pd.DataFrame(rows[1:], columns=[str(name) for name in rows[0]])
