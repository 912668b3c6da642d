"""Eurostat Comext: imports of magnets from China by member of the EU, as SDMX messages.

Large answers are prepared later: a ticket comes first, whose status is polled until they are ready.
"""

import gzip
import html
import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Final, TypeVar
from xml.etree import ElementTree as ET

import pandas as pd

from sources.http import MOST_BODY, HttpClient, HttpSource, MonthRange, Refusal
from sources.providers.rows import (
    USUAL_LAG,
    comext_members,
    comext_place,
    left_out,
    observations,
    readable,
    refuse_missing,
    usual_moment,
)
from store.errors import SourceError, first_few
from store.facts.batch import FileRows
from store.vocabulary import EU_LINES

T = TypeVar("T")

DATA: Final = "application/vnd.sdmx.genericdata+xml;version=2.1"
XML: Final = "application/xml"

_LAG_DAYS: Final = 75
"""Usual lag: six to eight weeks after the month, longer at a year's turn. Source:
docs/data/comext.md."""

_EU: Final = "EU27_2020"
_WEIGHT: Final = "QUANTITY_IN_100KG"
_VALUE: Final = "VALUE_IN_EUROS"
_DIMENSIONS: Final = ("reporter", "partner", "product", "flow", "indicators", "time_period")
_HALF_T: Final = 0.0005
"""Weights come in 100 kg with two decimals: exact to half a kilogram."""
_HALF_EUR: Final = 0.5e-6

SDMX: Final = "/sdmx/2.1"
"""End of the address of the data; tickets are collected beside it."""

POLLS_S: Final = (2, 4, 8, 16, 30, 30, 30, 60, 60, 60)
"""Waits for an answer that is prepared later, five minutes in all."""

_Rows = tuple[pd.DataFrame, int]
"""``reporter, product, indicators, value, period``, and how many rows cannot be read."""


class ComextImports(HttpSource):
    """EU imports of the magnet lines from China: weight and value by member, and their sum."""

    id = provider = "comext"
    completeness = 0.8

    def fetch(self, span: MonthRange, *, ingested_at: pd.Timestamp) -> FileRows:
        """Rows of all members; as ``HttpSource.fetch``."""
        *earlier, last = span.years()
        due = last.first.end_time.tz_localize("UTC") + pd.Timedelta(days=_LAG_DAYS)
        if earlier and due > ingested_at:  # Eurostat may refuse months of which it has none yet
            last = MonthRange(earlier.pop().first, last.last)
        with self.client() as http:
            parts = [self._ask(http, year) for year in (*earlier, last)]
        filled = [rows for rows, _ in parts if len(rows)] or [parts[0][0]]
        rows, broken = pd.concat(filled, ignore_index=True), sum(count for _, count in parts)
        frame = observations(
            _measured(rows, ingested_at=ingested_at), source=self.id, source_url=f"{self.url}/data"
        )
        ignored = (*left_out(broken), *((f"no data for {span}",) if rows.empty else ()))
        wanted = f"imports of {', '.join(EU_LINES)} from China, reported by the members of the EU"
        return self.file(span, http, {"observations": frame}, wanted=wanted, ignored=ignored)

    def _ask(self, http: HttpClient, span: MonthRange) -> _Rows:
        products = "+".join(line.removeprefix("CN") for line in EU_LINES)
        reporters = "+".join((_EU, *comext_members()))
        path = (
            f"/data/{self.settings.comext_dataset}/M.{reporters}.CN.{products}.1.{_VALUE}+{_WEIGHT}"
        )
        params = [("startPeriod", str(span.first)), ("endPeriod", str(span.last))]

        def read(body: bytes) -> _Rows | str:
            return ticket_in(body) or _read(body, span)

        answer = http.get(path, params, read=read, accept=DATA, explain=fault_in)
        if isinstance(answer, str):
            answer = self._collect(http, answer, span)
        return answer or (_nothing(), 0)

    def _collect(self, http: HttpClient, ticket: str, span: MonthRange) -> _Rows | None:
        later = f"{self.url.removesuffix(SDMX)}/1.0/async"

        def ask(path: str, accept: str, read: Callable[[bytes], T]) -> T | None:
            return http.get(path, read=read, accept=accept, explain=fault_in, base_url=later)

        status: str | None = ""
        for seconds in POLLS_S:
            http.pause(seconds)
            status = ask(f"/status/{ticket}", XML, read_status)
            if status == "AVAILABLE":
                return ask(f"/data/{ticket}", DATA, lambda body: _read(body, span))
            if status not in {"SUBMITTED", "PROCESSING"}:
                raise SourceError(
                    f"comext lost request {ticket} for {span}: its status is {status!r}. Expected "
                    "AVAILABLE in the end. Run the ingest again; nothing was taken over."
                )
        raise SourceError(
            f"comext is still preparing the data of {span} after {sum(POLLS_S) // 60} minutes "
            f"(request {ticket}, {status}). Expected them by then. Run the ingest again later or "
            "ask for fewer months; nothing was taken over."
        )


def _read(body: bytes, span: MonthRange) -> _Rows:
    data = read_data(body)
    if data.empty:
        return _nothing(), 0
    names = {str(name).lower(): str(name) for name in data.columns}
    refuse_missing(names, _DIMENSIONS)
    named = data.rename(columns={real: name for name, real in names.items()})
    if named.duplicated(list(_DIMENSIONS)).any():
        raise ValueError("it has an observation twice")
    _refuse_others(named, span)
    rows, broken = readable(named, ("value",))
    months = pd.to_datetime(rows["time_period"].astype("str"), format="%Y-%m")
    columns = rows[["reporter", "product", "indicators", "value"]]
    return columns.assign(period=months.astype("datetime64[us]")), broken


def _refuse_others(rows: pd.DataFrame, span: MonthRange) -> None:
    requested: Mapping[str, set[str]] = {
        "reporter": {_EU, *comext_members()},
        "partner": {"CN"},
        "product": {line.removeprefix("CN") for line in EU_LINES},
        "flow": {"1"},
        "indicators": {_WEIGHT, _VALUE},
        "time_period": {str(month) for month in span.months},
    }
    for name, allowed in requested.items():
        if extra := sorted(set(rows[name].astype("str")) - allowed):
            raise ValueError(f"{name} {first_few(extra)} was not asked for")


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=["reporter", "product", "indicators", "value", "period"])


def _measured(rows: pd.DataFrame, *, ingested_at: pd.Timestamp) -> list[pd.DataFrame]:
    if rows.empty:
        return []
    base = pd.DataFrame(
        {
            "commodity": "CN" + rows["product"].astype("str"),
            "destination": rows["reporter"].map(comext_place),
            "period": rows["period"],
            "available_at": usual_moment(
                rows["period"], lag_days=_LAG_DAYS, ingested_at=ingested_at
            ),
            "note": USUAL_LAG,
        }
    )
    is_weight = rows["indicators"].eq(_WEIGHT)
    weight = base[is_weight].assign(
        measure="mirror_import_t", value=rows["value"] / 10, half_width=_HALF_T
    )
    value = base[~is_weight].assign(
        measure="mirror_import_meur", value=rows["value"] / 1e6, half_width=_HALF_EUR
    )
    return [weight, value]


_SOAP: Final = 4096
"""Bytes within which a fault or a ticket is written; data are longer, or have neither."""

_CODE: Final = re.compile(r"<faultcode>\s*(\w+)\s*</faultcode>")
_TEXT: Final = re.compile(r"<faultstring>(.*?)</faultstring>", re.DOTALL)
_TICKET: Final = re.compile(r"<queued>.*?<id>\s*([\w-]+)\s*</id>", re.DOTALL)
_STATUS: Final = re.compile(r"<(?:\w+:)?status>\s*([A-Z_]+)\s*</(?:\w+:)?status>")

_REMEDY: Final = (
    "It has no data for these months, they are too many at once, or the data set has a new code: "
    "ask for earlier or fewer months, run the ingest again later, or look the data set up at "
    "Eurostat and set MAGNETCAST_COMEXT_DATASET."
)


def fault_in(body: bytes) -> Refusal | None:
    """Fault in a body, in the provider's own words; None if there is none."""
    soap = _soap(body)
    if (code := _CODE.search(soap)) is None:
        return None
    match = _TEXT.search(soap)
    text = f"fault {code[1]}: {html.unescape(' '.join(match[1].split())) if match else 'no text'}"
    return Refusal(text, _REMEDY, is_empty="result from the query is empty" in text)


def ticket_in(body: bytes) -> str | None:
    """Ticket of an answer that is prepared later; None for any other body."""
    match = _TICKET.search(_soap(body))
    return None if match is None else match[1]


def read_status(body: bytes) -> str:
    """State of a ticket: SUBMITTED, PROCESSING, AVAILABLE or EXPIRED."""
    if (match := _STATUS.search(_soap(body))) is None:
        raise ValueError("it has no status of the request")
    return match[1]


def _soap(body: bytes) -> str:
    return body[:_SOAP].decode("utf-8", "replace")


def read_data(body: bytes) -> pd.DataFrame:
    """Observations as text: one column per dimension, and ``value``."""
    message = _message(body)
    rows = [
        dict(_key(series), TIME_PERIOD=_stated(obs, "Dimension"), value=_stated(obs, "Value"))
        for series in message.findall(".//{*}Series")
        for obs in series.findall("{*}Obs")
    ]
    if not rows and message.find("{*}Footer") is not None:
        raise SourceError(
            "comext defers the answer to a separate file. Expected the data at once. Request fewer "
            "months."
        )
    if message.find("{*}DataSet") is None:
        raise ValueError("no SDMX data")
    return pd.DataFrame(rows or {"value": []})


def _key(series: ET.Element) -> Iterator[tuple[str, str]]:
    yield from series.items()
    for part in series.findall("{*}SeriesKey/{*}Value"):
        yield part.get("id", ""), part.get("value", "")


def _stated(observation: ET.Element, part_name: str) -> str | None:
    part = observation.find(f"{{*}}Obs{part_name}")
    return None if part is None else part.get("value")


def _message(body: bytes) -> ET.Element:
    try:
        packed = io.BytesIO(body)
        with gzip.open(packed) if body.startswith(b"\x1f\x8b") else nullcontext(packed) as content:
            plain = content.read(MOST_BODY + 1)
        if len(plain) > MOST_BODY:
            raise ValueError(f"it unpacks to more than {MOST_BODY:,} bytes")
        return ET.fromstring(plain)  # noqa: S314  # expat caps what entities grow to
    except (ET.ParseError, OSError, EOFError, zlib.error) as err:
        raise ValueError(f"no SDMX message: {err}") from err
