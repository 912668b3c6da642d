"""Eurostat Comext: imports of magnets from China by member of the EU, as SDMX messages."""

import contextlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar, cast

import pandas as pd
import sdmx
from sdmx.exceptions import XMLParseError
from sdmx.message import DataMessage, Message, StructureMessage

from sources.base import MonthRange, SourceInfo
from sources.http.client import HttpClient
from sources.http.faults import TooMuchError
from sources.providers.countries import comext_members, comext_place
from sources.providers.http_source import HttpSource
from sources.providers.rows import USUAL_LAG, missing_columns, observations, usual_moment
from store.errors import SourceError, first_few
from store.facts.batch import FileRows
from store.vocabulary import EU_LINES, ORIGIN

DATA: Final = "application/vnd.sdmx.genericdata+xml;version=2.1"
STRUCTURE: Final = "application/vnd.sdmx.structure+xml;version=2.1"

_Kind = TypeVar("_Kind", bound=Message)


def read_flows(body: bytes) -> dict[str, str]:
    """Return the names of all dataflows by their code.

    Raises:
        ValueError: The body is not such a message.
    """
    message = _message(body, StructureMessage)
    return {str(code): str(flow.name) for code, flow in message.dataflow.items()}


def read_data(body: bytes) -> pd.DataFrame:
    """Return observations: one column per dimension, and ``value``.

    Raises:
        ValueError: The body is not a data message, or repeats an observation.
        TooMuchError: It announces a file for later instead of data.
    """
    message = _message(body, DataMessage)
    if message.footer is not None and not any(len(part) for part in message.data):
        raise TooMuchError(
            "comext defers the answer to a separate file. Expected the data at once. Request fewer "
            "months."
        )
    parts = [_table(part) for part in message.data if len(part)]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"value": []})
    if rows.duplicated([name for name in rows.columns if name != "value"]).any():
        raise ValueError("it has an observation twice")
    return rows


def _table(part: object) -> pd.DataFrame:
    series = cast("pd.Series", sdmx.to_pandas(part))
    return series.rename("value").reset_index().astype({"value": "float64"})


def _message(body: bytes, kind: type[_Kind]) -> _Kind:
    """Read a message; the library's printed output on a broken one is suppressed."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            message = sdmx.read_sdmx(io.BytesIO(body))
    except (XMLParseError, RuntimeError, LookupError, AssertionError, TypeError) as err:
        first = str(err).strip().splitlines()
        raise ValueError(f"no SDMX message: {first[-1] if first else type(err).__name__}") from err
    if not isinstance(message, kind):
        raise ValueError(  # noqa: TRY004  # the body is at fault, not the caller
            f"an SDMX {type(message).__name__} instead of a {kind.__name__}"
        )
    return message


def columns_of(rows: pd.DataFrame) -> Mapping[str, str]:
    """Return the columns by their lower-case name, because providers differ in case."""
    return {str(name).lower(): str(name) for name in rows.columns}


PROVIDER: Final = "comext"

FLOW: Final = "DS-045409"
"""Last known code of the data set; Eurostat issues new ones, so the list is fetched each time."""

LAG_DAYS: Final = 75
"""Usual lag: six to eight weeks after the month, longer at a year's turn. Source:
docs/data/comext.md."""

_NAME: Final = re.compile(r"EU trade since 1988 by HS.*CN8", re.IGNORECASE)
_EU: Final = "EU27_2020"
_WEIGHT: Final = "QUANTITY_IN_100KG"
_VALUE: Final = "VALUE_IN_EUROS"
_DIMENSIONS: Final = ("reporter", "partner", "product", "flow", "indicators", "time_period")
_HALF_T: Final = 0.05
_HALF_EUR: Final = 0.5e-6


@dataclass(frozen=True, slots=True)
class ComextImports(HttpSource):
    """EU imports of the magnet lines from China: weight and value by member, and their sum."""

    info: ClassVar = SourceInfo(PROVIDER, completeness=0.8)
    provider: ClassVar = PROVIDER

    def fetch(self, span: MonthRange, *, now: pd.Timestamp) -> FileRows:
        """Fetch all members; as ``LiveSource.fetch``."""
        with self.client() as http:
            rows = _ask(http, _flow(http), span)
        frame = observations(
            _measured(rows, now=now),
            origin=ORIGIN,
            source=PROVIDER,
            source_url=f"{self.url}/data",
        )
        return self.file(span, http, {"observations": frame})


def _flow(http: HttpClient) -> str:
    """Return the code of the data set, looked up in the provider's list."""
    reply = http.get("/dataflow/ESTAT/all", read=read_flows, accept=STRUCTURE)
    flows = reply.value or {}
    if FLOW in flows:
        return FLOW
    named = sorted(code for code, name in flows.items() if _NAME.search(name))
    if len(named) == 1:
        return named[0]
    raise SourceError(
        f"comext lists {len(flows)} data sets, {len(named)} of them by HS and CN8 "
        f"({first_few(named) or 'none'}), at {reply.url}. Expected {FLOW} or one of that name. "
        "Look for the new code in Eurostat's list; nothing was taken over."
    )


def _ask(http: HttpClient, flow: str, span: MonthRange) -> pd.DataFrame:
    """Fetch all months at once, or year by year where that is too much."""
    try:
        return _ask_once(http, flow, span)
    except TooMuchError:
        years = list(span.years())
        if len(years) == 1:
            raise
    parts = [_ask_once(http, flow, year) for year in years]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _ask_once(http: HttpClient, flow: str, span: MonthRange) -> pd.DataFrame:
    products = "+".join(line.removeprefix("CN") for line in EU_LINES)
    reporters = "+".join((_EU, *comext_members()))
    path = f"/data/{flow}/M.{reporters}.CN.{products}.1.{_VALUE}+{_WEIGHT}"
    params = [("startPeriod", str(span.first)), ("endPeriod", str(span.last))]
    reply = http.get(path, params, read=lambda body: _read(body, span), accept=DATA)
    return _nothing() if reply.value is None else reply.value


def _read(body: bytes, span: MonthRange) -> pd.DataFrame:
    """Return ``reporter, product, indicators, period, value``."""
    data = read_data(body)
    if data.empty:
        return _nothing()
    names = columns_of(data)
    if missing := [name for name in _DIMENSIONS if name not in names]:
        raise missing_columns(missing, list(names), provider=PROVIDER, url="its data")
    rows = data.rename(columns={real: name for name, real in names.items()})
    _refuse_others(rows, span)
    months = pd.to_datetime(rows["time_period"].astype("str"), format="%Y-%m")
    return rows[["reporter", "product", "indicators", "value"]].assign(
        period=months.astype("datetime64[us]")
    )


def _refuse_others(rows: pd.DataFrame, span: MonthRange) -> None:
    asked: Mapping[str, set[str]] = {
        "reporter": {_EU, *comext_members()},
        "partner": {"CN"},
        "product": {line.removeprefix("CN") for line in EU_LINES},
        "flow": {"1"},
        "indicators": {_WEIGHT, _VALUE},
        "time_period": {str(month) for month in span.months},
    }
    for name, allowed in asked.items():
        if others := sorted(set(rows[name].astype("str")) - allowed):
            raise ValueError(f"{name} {first_few(others)} was not asked for")


def _nothing() -> pd.DataFrame:
    return pd.DataFrame(columns=["reporter", "product", "indicators", "value", "period"])


def _measured(rows: pd.DataFrame, *, now: pd.Timestamp) -> list[pd.DataFrame]:
    """Return weights in tonnes and values in million euros."""
    if rows.empty:
        return []
    base = pd.DataFrame(
        {
            "commodity": "CN" + rows["product"].astype("str"),
            "destination": rows["reporter"].map(comext_place),
            "period": rows["period"],
            "available_at": usual_moment(rows["period"], lag_days=LAG_DAYS, now=now),
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
