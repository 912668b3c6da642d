"""Exchange rates as the ECB and FRED give them, and the risk index as its author does."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from tests.providers.answers import Answer, Call, Provider

CSV = "text/csv"
GPR_FILE = Path(__file__).parent / "data" / "gpr.xls"


@dataclass
class RatesWorld:
    last: str = "2026-11-20"
    factors: dict[str, float] = field(default_factory=dict)
    """By month, where rates are revised."""

    def days(self, first: str, last: str) -> pd.DatetimeIndex:
        return pd.bdate_range(first, min(last, self.last))

    def dollars(self, day: pd.Timestamp) -> float:
        return round(1.1 + day.day_of_year % 40 / 1000, 4)

    def yuan(self, day: pd.Timestamp) -> float:
        factor = self.factors.get(f"{day:%Y-%m}", 1.0)
        return round((7 + day.day_of_year % 60 / 1000) * factor, 4)


def fx(world: RatesWorld) -> Provider:
    return Provider(lambda call: _answer(world, call), _renamed, _doubled)


def _answer(world: RatesWorld, call: Call) -> Answer:
    if call.path == "data/EXR/D.CNY+USD.EUR.SP00.A":
        return Answer(_ecb(world, call).encode(), content_type=CSV)
    if call.path == "graph/fredgraph.csv":
        return Answer(_fred(world, call).encode(), content_type=CSV)
    return Answer(b"", 404)


def _ecb(world: RatesWorld, call: Call) -> str:
    head = "KEY,FREQ,CURRENCY,CURRENCY_DENOM,EXR_TYPE,EXR_SUFFIX,TIME_PERIOD,OBS_VALUE,OBS_STATUS\n"
    lines = []
    for currency in ("CNY", "USD"):
        for day in world.days(call.one("startPeriod"), call.one("endPeriod")):
            rate = world.dollars(day)
            result = rate if currency == "USD" else round(world.yuan(day) * rate, 6)
            key = f"EXR.D.{currency}.EUR.SP00.A,D,{currency},EUR,SP00,A"
            lines.append(f"{key},{day:%Y-%m-%d},{result},A\n")
    return head + "".join(lines)


def _fred(world: RatesWorld, call: Call) -> str:
    series = call.one("id")
    rate = {"DEXCHUS": world.yuan, "DEXUSEU": world.dollars}[series]
    lines = [
        f"{day:%Y-%m-%d},{'.' if day.day == 1 else rate(day)}\n"
        for day in world.days(call.one("cosd"), call.one("coed"))
    ]
    return f"observation_date,{series}\n" + "".join(lines)


def gpr() -> Provider:
    """Return the provider of the workbook, which has no columns that can be renamed in place."""
    return Provider(
        lambda _: Answer(GPR_FILE.read_bytes(), content_type="application/vnd.ms-excel"),
        lambda _: b"month,GPR,GPRT,GPRA,GPRC_CHN\n2024-01-01,1,1,1,1\n",
        lambda _: b"month,GPR,GPRT,GPRA,GPRC_CHN,GPRC_USA\n" + b"2024-01-01,1,1,1,1,1\n" * 2,
    )


def _renamed(body: bytes) -> bytes:
    return body.replace(b"OBS_VALUE", b"VALUE").replace(b"DEXCHUS", b"DEX")


def _doubled(body: bytes) -> bytes:
    head, _, rows = body.partition(b"\n")
    return head + b"\n" + rows * 2
