"""Eurostat Comext: a list of data sets and observations, in SDMX-ML 2.1."""

import re
from dataclasses import dataclass

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
FIRST_CN8 = "2022-01"
"""First month of 85051110; before it 85051100 tells of all magnets."""


@dataclass
class ComextWorld:
    first: str = "2017-01"
    last: str = "2026-08"
    code: str = "DS-045409"
    name: str = "EU trade since 1988 by HS2-4-6 and CN8"
    most_cells: int = 5_000_000
    put_off: bool = False
    """Whether a file for later is announced instead of data."""


def comext(world: ComextWorld) -> Provider:
    return Provider(lambda call: _answer(world, call), _renamed, _doubled)


def _answer(world: ComextWorld, call: Call) -> Answer:
    if call.path == "dataflow/ESTAT/all":
        return Answer(_flows(world).encode(), content_type=XML)
    match = re.fullmatch(r"data/([\w-]+)/M\.([\w+]+)\.CN\.([\d+]+)\.1\.([\w+]+)", call.path)
    if match is None or match[1] != world.code:
        return Answer(b"", 404, content_type=XML)
    series = [part.split("+") for part in match.groups()[1:]]
    first = max(call.one("startPeriod"), world.first)
    months = list(pd.period_range(first, min(call.one("endPeriod"), world.last), freq="M"))
    cells = len(months) * len(series[0]) * len(series[1]) * len(series[2])
    if cells > world.most_cells:
        return Answer(b"", 413, content_type=XML)
    body = _footer() if world.put_off else _data(series, months)
    return Answer(body.encode(), content_type=XML)


def _flows(world: ComextWorld) -> str:
    flows = {"DS-018995": "EU trade since 1988 by SITC", world.code: world.name}
    told = "".join(
        f'<s:Dataflow id="{code}" agencyID="ESTAT" version="1.0" isFinal="true">'
        f'<c:Name xml:lang="en">{name}</c:Name><s:Structure><Ref id="DSD_{code}" version="1.0" '
        'agencyID="ESTAT" class="DataStructure"/></s:Structure></s:Dataflow>'
        for code, name in flows.items()
    )
    return (
        f"<m:Structure {NAMESPACES}>{HEADER}</m:Header><m:Structures><s:Dataflows>{told}"
        "</s:Dataflows></m:Structures></m:Structure>"
    )


def _footer() -> str:
    text = "https://ec.europa.eu/eurostat/api/comext/dissemination/sdmx/2.1/async/data/1"
    return (
        f"<m:GenericData {NAMESPACES}>{HEADER}</m:Header><f:Footer>"
        f'<f:Message code="413"><c:Text>{text}</c:Text></f:Message></f:Footer></m:GenericData>'
    )


def _data(series: list[list[str]], months: list[pd.Period]) -> str:
    structure = (
        '<m:Structure structureID="S1" dimensionAtObservation="TIME_PERIOD"><c:Structure>'
        '<Ref id="DSD_COMEXT" version="1.0" agencyID="ESTAT" class="DataStructure"/>'
        "</c:Structure></m:Structure></m:Header>"
    )
    told = "".join(
        _series(place, code, product, indicator, months)
        for place, code in enumerate(series[0])
        for product in series[1]
        for indicator in series[2]
    )
    return (
        f"<m:GenericData {NAMESPACES}>{HEADER}{structure}"
        f'<m:DataSet structureRef="S1">{told}</m:DataSet></m:GenericData>'
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
