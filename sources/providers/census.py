"""US Census: imports of magnets from China by ten-digit line."""

import json
from typing import Final
from urllib.parse import urlencode

import pandas as pd

from sources.http import KEY_PAGES, ApiKeys, HttpClient, HttpSource, MonthRange, sent_as
from sources.providers.rows import (
    USUAL_LAG,
    left_out,
    observations,
    readable,
    refuse_missing,
    usual_moment,
)
from store.errors import SourceError, first_few
from store.facts.batch import FileRows
from store.vocabulary import US_LINES

CHINA: Final = "5700"

_LAG_DAYS: Final = 45
"""Usual lag: the release comes some five weeks after the month. Source: docs/data/census.md."""

_WEIGHTLESS_USD: Final = 2000.0
"""Value from which a quantity of zero means a missing weight. Source: docs/data/census.md."""

_ASKED: Final = ("I_COMMODITY", "CTY_CODE", "GEN_VAL_MO", "GEN_QY1_MO", "UNIT_QY1")
_NUMBERS: Final = ("GEN_VAL_MO", "GEN_QY1_MO")
_HALF_KG: Final = 0.0005
_HALF_USD: Final = 0.5e-6


class CensusImports(HttpSource):
    """US imports of each magnet line from China: weight and value."""

    id = provider = "census"
    completeness = 0.9

    def fetch(self, span: MonthRange, *, ingested_at: pd.Timestamp) -> FileRows:
        """Rows of every line; as ``HttpSource.fetch``."""
        key = sent_as("key", self.settings.census_key)
        if not key and not self.settings.offline:
            raise SourceError(
                "Census requires an API key. Expected one in MAGNETCAST_CENSUS_KEY. Sign up, free, "
                f"at {KEY_PAGES[self.id]}; nothing was taken over."
            )
        with self.client(ApiKeys(params=key)) as http:
            answers = [_ask(http, line, span) for line in US_LINES]
        parts = [answer for answer in answers if answer is not None]
        columns = ["line", "period", *_NUMBERS]
        frames = [part for part, _ in parts] or [pd.DataFrame(columns=columns)]
        rows = pd.concat(frames, ignore_index=True)
        broken = sum(count for _, count in parts)
        frame = observations(
            _measured(rows, ingested_at=ingested_at),
            source=self.id,
            source_url=f"{self.url}?{urlencode({'CTY_CODE': CHINA})}",
        )
        weightless = int(_lacks_weight(rows).sum())
        note = f"{weightless} rows without a quantity: the value alone is taken"
        ignored = (*left_out(broken), *((note,) if weightless else ()))
        wanted = f"imports of {', '.join(US_LINES)} from China, reported by the United States"
        return self.file(span, http, {"observations": frame}, wanted=wanted, ignored=ignored)


def _ask(http: HttpClient, line: str, span: MonthRange) -> tuple[pd.DataFrame, int] | None:
    """Months of one line and the count of unreadable rows; None if there was no trade."""
    params = [
        ("get", ",".join(_ASKED)),
        ("COMM_LVL", "HS10"),
        ("I_COMMODITY", line.removeprefix("US")),
        ("CTY_CODE", CHINA),
        ("time", f"from {span.first} to {span.last}"),
    ]
    return http.get("", params, read=lambda body: _read(body, line, span), may_be_empty=True)


def _read(body: bytes, line: str, span: MonthRange) -> tuple[pd.DataFrame, int]:
    answer = json.loads(body)
    is_table = isinstance(answer, list) and len({len(row) for row in answer}) == 1
    if not is_table or not all(isinstance(name, str) for name in answer[0]):
        raise ValueError("it is no array of arrays of one length, names first")
    table = pd.DataFrame(answer[1:], columns=answer[0])
    refuse_missing(table.columns, (*_ASKED, "time"))
    rows = table.loc[:, ~table.columns.duplicated()]
    is_other = ~rows["I_COMMODITY"].eq(line.removeprefix("US")) | ~rows["CTY_CODE"].eq(CHINA)
    if is_other.any() or not set(rows["time"]) <= {str(month) for month in span.months}:
        raise ValueError("it is for another line, country or month than requested")
    if rows.duplicated("time").any():
        raise ValueError("it has a month twice")
    if units := sorted(set(rows["UNIT_QY1"].fillna("").str.strip().str.upper()) - {"KG", "-", ""}):
        raise SourceError(
            f"census counts {line} in {first_few(units)}. Expected kilograms (KG). See whether "
            "the line's unit has changed; nothing was taken over."
        )
    readable_rows, broken = readable(rows, _NUMBERS)
    months = pd.to_datetime(readable_rows["time"], format="%Y-%m").astype("datetime64[us]")
    return readable_rows[list(_NUMBERS)].assign(line=line, period=months), broken


def _lacks_weight(rows: pd.DataFrame) -> pd.Series:
    missing = rows["GEN_QY1_MO"].isna() | rows["GEN_QY1_MO"].eq(0)
    return missing & rows["GEN_VAL_MO"].ge(_WEIGHTLESS_USD)


def _measured(rows: pd.DataFrame, *, ingested_at: pd.Timestamp) -> list[pd.DataFrame]:
    if rows.empty:
        return []
    base = rows[["period"]].assign(
        commodity=rows["line"],
        destination="USA",
        available_at=usual_moment(rows["period"], lag_days=_LAG_DAYS, ingested_at=ingested_at),
        note=USUAL_LAG,
    )
    weight = rows["GEN_QY1_MO"].mask(_lacks_weight(rows)) / 1e3
    return [
        base.assign(measure="mirror_import_t", value=weight, half_width=_HALF_KG),
        base.assign(
            measure="mirror_import_musd", value=rows["GEN_VAL_MO"] / 1e6, half_width=_HALF_USD
        ),
    ]
