"""Eurostat Comext: data sets and observations in SDMX-ML 2.1, faults and tickets in SOAP."""

import gzip
import re
from dataclasses import dataclass, field, replace
from uuid import NAMESPACE_URL, uuid5

import pandas as pd

from tests.providers.answers import Answer, Call, Provider

NAMESPACES = " ".join(
    f'xmlns:{short}="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/{path}"'
    for short, path in {
        "m": "message", "s": "structure", "c": "common", "g": "data/generic", "f": "message/footer",
    }.items()
)  # fmt: skip
HEADER = (
    "<m:Header><m:ID>DF1</m:ID><m:Test>false</m:Test><m:Prepared>2026-10-15T11:00:00</m:Prepared>"
    '<m:Sender id="ESTAT"/>'
)
XML = "application/xml"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
FIRST_CN8 = "2022-01"
"""First month of 85051110; before it 85051100 tells of all magnets."""


@dataclass
class ComextWorld:
    first: str = "2017-01"
    last: str = "2026-08"
    code: str = "DS-045409"
    queue_cells: int = 500_000
    """Cells from which an answer is prepared later."""
    polls: tuple[str, ...] = ("SUBMITTED", "PROCESSING", "AVAILABLE")
    """What the status of a ticket is, time after time; the last for good."""
    prepared: dict[str, bytes] = field(default_factory=dict)
    """Answers by ticket."""
    asked: dict[str, int] = field(default_factory=dict)
    """How often each ticket's status was asked for."""


def comext(world: ComextWorld) -> Provider:
    return Provider(lambda call: _answer(world, call), _renamed, _doubled)


def _answer(world: ComextWorld, call: Call) -> Answer:
    path = call.path.removeprefix("sdmx/2.1/")
    if path.startswith("1.0/async/"):
        return _later(world, *path.split("/")[2:])
    match = re.fullmatch(r"data/([\w-]+)/M\.([\w+]+)\.CN\.([\d+]+)\.1\.([\w+]+)", path)
    if match is None:
        return _fault(400, 140, "INVALID_QUERY_NB_FILTERS: Incorrect number of filters")
    if match[1] != world.code:
        return _fault(
            404, 100, f"ERR_NOT_FOUND_2: DATA_SET:{match[1]} is not available for dissemination."
        )
    return _extraction(world, call, [part.split("+") for part in match.groups()[1:]])


def _extraction(world: ComextWorld, call: Call, series: list[list[str]]) -> Answer:
    first = max(call.one("startPeriod"), world.first)
    months = list(pd.period_range(first, min(call.one("endPeriod"), world.last), freq="M"))
    if not months:
        return _fault(400, 100, "NO_RESULTS: The result from the query is empty.")
    body = _data(series, months)
    if len(months) * len(series[0]) * len(series[1]) * len(series[2]) <= world.queue_cells:
        return _xml(body)
    ticket = str(uuid5(NAMESPACE_URL, f"{call.path} {dict(call.params)}"))
    world.prepared[ticket] = gzip.compress(body.encode(), mtime=0)
    return _xml(
        f'<env:Envelope xmlns:env="{SOAP}"><env:Header/><env:Body><ns0:syncResponse '
        'xmlns:ns0="http://estat.ec.europa.eu/disschain/soap/extraction"><processingTime>92'
        f"</processingTime><queued><id>{ticket}</id><status>SUBMITTED</status></queued>"
        "</ns0:syncResponse></env:Body></env:Envelope>"
    )


def _later(world: ComextWorld, what: str, ticket: str) -> Answer:
    """Answer for a ticket: its status, or its data, compressed without saying so."""
    if ticket not in world.prepared:
        return _fault(400, 100, "UNKNOWN_REQUEST: Unknown request.")
    if what == "data":
        return Answer(world.prepared[ticket], content_type=XML)
    asked = world.asked.get(ticket, 0)
    world.asked[ticket] = asked + 1
    status = world.polls[min(asked, len(world.polls) - 1)]
    return _xml(
        f'<S:Envelope xmlns:S="{SOAP}"><S:Body><ns0:asyncResponse '
        'xmlns:ns1="http://estat.ec.europa.eu/disschain/asynchronous" '
        'xmlns:ns0="http://estat.ec.europa.eu/disschain/soap/asynchronous"><ns1:status>'
        f"<ns1:key>{ticket}</ns1:key><ns1:status>{status}</ns1:status></ns1:status>"
        "</ns0:asyncResponse></S:Body></S:Envelope>"
    )


def _fault(status: int, code: int, text: str) -> Answer:
    body = (
        f'<S:Fault xmlns:S="{SOAP}"><faultcode>{code}</faultcode>'
        f"<faultstring>{text}</faultstring></S:Fault>"
    )
    return replace(_xml(body), status=status)


def _xml(body: str) -> Answer:
    return Answer(f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode(), content_type=XML)


def _data(series: list[list[str]], months: list[pd.Period]) -> str:
    structure = (
        '<m:Structure structureID="S1" dimensionAtObservation="TIME_PERIOD"><c:Structure>'
        '<Ref id="DSD_COMEXT" version="1.0" agencyID="ESTAT" class="DataStructure"/>'
        "</c:Structure></m:Structure></m:Header>"
    )
    result = "".join(
        _series(place, code, product, indicator, months)
        for place, code in enumerate(series[0])
        for product in series[1]
        for indicator in series[2]
    )
    return (
        f"<m:GenericData {NAMESPACES}>{HEADER}{structure}"
        f'<m:DataSet structureRef="S1">{result}</m:DataSet></m:GenericData>'
    )


def _series(place: int, code: str, product: str, indicator: str, months: list[pd.Period]) -> str:
    since = FIRST_CN8 if product == "85051110" else "1988-01"
    observed = "".join(
        f'<g:Obs><g:ObsDimension value="{month}"/>'
        f'<g:ObsValue value="{_value(place, indicator, month)}"/></g:Obs>'
        for month in months
        if str(month) >= since and (product == "85051110" or str(month) < FIRST_CN8)
    )
    if not observed:
        return ""
    key = {
        "freq": "M", "reporter": code, "partner": "CN", "product": product, "flow": "1",
        "indicators": indicator,
    }  # fmt: skip
    values = "".join(f'<g:Value id="{name}" value="{value}"/>' for name, value in key.items())
    return f"<g:Series><g:SeriesKey>{values}</g:SeriesKey>{observed}</g:Series>"


def _value(place: int, indicator: str, month: pd.Period) -> float:
    """Return 100 kg or euros; the first place is the EU, the sum of all others."""
    members = [_weight(i, month) for i in range(1, 28)]
    weight = sum(members) if place == 0 else members[place - 1]
    return round(weight * 4_500, 2) if indicator == "VALUE_IN_EUROS" else round(weight, 2)


def _weight(place: int, month: pd.Period) -> float:
    return 5_000 / place + month.ordinal * 7 % 50


def _renamed(body: bytes) -> bytes:
    return body.replace(b'"indicators"', b'"measure"')


def _doubled(body: bytes) -> bytes:
    head, _, rest = body.partition(b"<g:Series>")
    series, end, tail = rest.rpartition(b"</g:Series>")
    block = b"<g:Series>" + series + end
    return head + block * 2 + tail if end else body
