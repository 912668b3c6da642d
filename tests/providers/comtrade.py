"""UN Comtrade v1: data, availability, metadata and codes, over a generated world of trade."""

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd
import pycountry

from tests.providers.answers import Answer, Call, Provider

SPECIAL = {840: 842, 250: 251, 158: 490, 356: 699, 756: 757, 578: 579}
"""ISO numbers and the codes Comtrade uses for them."""
LEADING = (276, 842, 410, 392, 704, 699, 764, 380, 528, 251, 616, 484, 490, 360, 458, 76, 203, 348)
AREAS_NES = 899
CHINA = 156
ASEAN = 975
ASEAN_MEMBERS = (704, 764, 458, 360, 608, 702)
PREVIEW_ROWS = 500
MOST_PERIODS = 12
QUICK_CALLS = 8
QUICK_S = 40.0
"""Without a key a call is refused that comes so soon after the eighth before it."""


@dataclass
class ComtradeWorld:
    """Exports by month and partner."""

    first: str = "2016-01"
    last: str = "2026-08"
    partners: int = 150
    released: dict[str, str] = field(default_factory=dict)
    """Release moment by month YYYYMM, where it is not the usual one."""
    revised: dict[tuple[str, int], float] = field(default_factory=dict)
    """Factor by month YYYYMM and partner."""
    splits: bool = False
    """Whether rows by mode of transport come along unasked."""
    weightless: frozenset[tuple[str, int]] = frozenset()
    most_rows: int = 100_000
    """Rows of one answer with a key."""
    modeless: frozenset[tuple[str, int]] = frozenset()
    """Months and partners whose row names no mode of transport."""
    clock: Callable[[], float] = time.monotonic
    """Seconds, by which calls without a key are counted."""
    keyless: deque[float] = field(default_factory=lambda: deque(maxlen=QUICK_CALLS))
    """Moments of the last calls without a key that were answered."""
    groups: bool = False
    """Whether ASEAN is a partner beside its members."""

    @cached_property
    def codes(self) -> tuple[int, ...]:
        numbers = sorted(int(country.numeric) for country in pycountry.countries)
        others = [SPECIAL.get(n, n) for n in numbers if n != CHINA]
        rest = [code for code in others if code not in LEADING]
        step = len(rest) / (self.partners - len(LEADING) - 1)
        spread = [rest[int(i * step)] for i in range(self.partners - len(LEADING) - 1)]
        return (*LEADING, *spread, AREAS_NES)[: self.partners]

    @cached_property
    def months(self) -> list[str]:
        return [f"{m:%Y%m}" for m in pd.period_range(self.first, self.last, freq="M")]

    @cached_property
    def kilograms(self) -> np.ndarray:
        """Kilograms by month and partner."""
        rng = np.random.default_rng(850511)
        months, partners = len(self.months), len(self.codes)
        size = 9e5 * np.arange(1, partners + 1) ** -1.3
        season = 1 + 0.1 * np.sin(2 * np.pi * (np.arange(months) % 12) / 12)
        growth = np.exp(0.006 * np.arange(months))
        noise = np.exp(rng.normal(0, 0.12, (months, partners)))
        table = size * season[:, None] * growth[:, None] * noise
        for month, kept in (("202504", 0.5), ("202505", 0.2), ("202506", 0.5)):
            if month in self.months:
                table[self.months.index(month)] *= kept
        return np.where(table < 40, 0.0, table.round())

    def factor(self, code: str) -> float:
        """Return how much of another good is shipped for a kilogram of magnets."""
        return 1.0 if code == "850511" else 0.2 + int(code) % 97 / 97

    @cached_property
    def usd(self) -> np.ndarray:
        rng = np.random.default_rng(156)
        return (self.kilograms * 48 * np.exp(rng.normal(0, 0.1, self.kilograms.shape))).round(2)

    def cell(self, month: str, place: int) -> tuple[float, float] | None:
        row, code = self.months.index(month), self.codes[place]
        kilograms = float(self.kilograms[row, place])
        if not kilograms:
            return None
        factor = self.revised.get((month, code), 1.0)
        return round(kilograms * factor), float(self.usd[row, place])

    def release(self, month: str, reporter: int) -> str:
        usual = pd.Period(month, "M").end_time.normalize() + pd.Timedelta(days=60 + reporter % 30)
        return self.released.get(month, f"{usual:%Y-%m-%dT%H:%M:%S}")


def comtrade(world: ComtradeWorld) -> Provider:
    """Return the provider."""
    return Provider(lambda call: _answer(world, call), _renamed, _doubled)


def _answer(world: ComtradeWorld, call: Call) -> Answer:
    call = replace(call, params={name.lower(): texts for name, texts in call.params.items()})
    found = re.fullmatch(r"(public|data)/v1/(\w+)/C/M/HS", call.path)
    ask = ASKED.get((found[1], found[2].lower())) if found else None
    if found is None or ask is None:
        return _fault(404, "Resource not found")
    if found[1] == "data" and (refusal := _key_refusal(call)):
        return _fault(401, refusal)
    most = 1 if ask is ASKED["public", "preview"] else MOST_PERIODS
    if len(call.many("period")) > most:
        return _fault(400, f"period: at most {most} values")
    if found[1] == "public" and _key_refusal(call) and _is_hurried(world):
        return _fault(429, "Rate limit is exceeded. Try again in 6 seconds.")
    return ask(world, call)


def _is_hurried(world: ComtradeWorld) -> bool:
    moment, last = world.clock(), world.keyless
    if len(last) == QUICK_CALLS and moment - last[0] < QUICK_S:
        return True
    last.append(moment)
    return False


def _key_refusal(call: Call) -> str:
    """Return why a key is refused; empty if it is not."""
    key = {name.lower(): text for name, text in call.headers.items()}.get(
        "ocp-apim-subscription-key", ""
    )
    if not key:
        return "Access denied due to missing subscription key."
    return f"Access denied due to invalid subscription key {key}." if "wrong" in key else ""


def _data(world: ComtradeWorld, call: Call, *, most: int, counts_all: bool) -> Answer:
    rows = list(_rows(world, call))
    return _body(rows[:most], count=len(rows) if counts_all else len(rows[:most]))


def _rows(world: ComtradeWorld, call: Call) -> Iterator[dict[str, object]]:
    wanted = {
        column: {int(code) for code in call.many(column.lower())}
        for column in ("reporterCode", "partnerCode")
    }
    goods = call.many("cmdcode") or ["850511"]
    for month in call.many("period"):
        if month not in world.months:
            continue
        for good in goods:
            for row in _month(world, month, good):
                if all(row[column] in codes for column, codes in wanted.items() if codes):
                    yield row
                    yield from _by_mode(row) if world.splits else ()


def _month(world: ComtradeWorld, month: str, good: str) -> Iterator[dict[str, object]]:
    weight = value = asean = 0.0
    for place, code in enumerate(world.codes):
        if (magnets := world.cell(month, place)) is None:
            continue
        cell = tuple(round(amount * world.factor(good), 2) for amount in magnets)
        weight, value = weight + cell[0], value + cell[1]
        known = None if (month, code) in world.weightless else cell[0]
        mode = None if (month, code) in world.modeless else 0
        yield _row(month, good, code, kilograms=known, usd=cell[1], mode=mode)
        asean += cell[0] if code in ASEAN_MEMBERS else 0
    yield _row(month, good, 0, kilograms=weight, usd=round(value, 2))
    if world.groups:
        yield _row(month, good, ASEAN, kilograms=asean, usd=asean * 48)


def _row(
    month: str,
    good: str,
    partner: int,
    *,
    kilograms: float | None,
    usd: float,
    mode: int | None = 0,
) -> dict[str, object]:
    """Return one record, in the columns that are read and some that are null."""
    return {
        "typeCode": "C", "freqCode": "M", "period": month, "reporterCode": CHINA,
        "reporterDesc": None, "flowCode": "X", "partnerCode": partner, "partnerDesc": None,
        "partner2Code": 0, "cmdCode": good, "customsCode": "C00", "motCode": mode,
        "qty": kilograms, "netWgt": kilograms, "isNetWgtEstimated": False, "primaryValue": usd,
        "isAggregate": partner == 0,
    }  # fmt: skip


def _by_mode(row: dict[str, object]) -> Iterator[dict[str, object]]:
    """Tell a row again by sea and by air."""
    for mode in (2100, 1000):
        yield {**row, "motCode": mode}


def _reporters(world: ComtradeWorld, call: Call) -> list[int]:
    """Return the reporters asked for."""
    every = [CHINA, *world.codes]
    asked = [int(code) for code in call.many("reportercode")]
    return [code for code in asked or every if code in every]


def _availability(world: ComtradeWorld, call: Call) -> Answer:
    """Return which months are out; not cut at a number of rows."""
    rows = [
        {
            "period": int(month), "reporterCode": code, "reporterDesc": None,
            "firstReleased": world.release(month, code),
            "lastReleased": world.release(month, code),
        }
        for month in call.many("period")
        if month in world.months
        for code in _reporters(world, call)
    ]  # fmt: skip
    return _body(rows)


def _body(rows: list[dict[str, object]], count: int | None = None) -> Answer:
    counted = len(rows) if count is None else count
    result = {"elapsedMs": "0.9 secs", "count": counted, "data": rows, "error": ""}
    return Answer(json.dumps(result).encode())


def _fault(status: int, message: str) -> Answer:
    return Answer(json.dumps({"statusCode": status, "message": message}).encode(), status)


ASKED: dict[tuple[str, str], Callable[[ComtradeWorld, Call], Answer]] = {
    ("public", "preview"): lambda w, c: _data(w, c, most=PREVIEW_ROWS, counts_all=False),
    ("data", "get"): lambda w, c: _data(w, c, most=w.most_rows, counts_all=True),
    **{(door, "getda"): _availability for door in ("public", "data")},
}
"""What a path asks for, by its door and its verb in lower case."""


def _renamed(body: bytes) -> bytes:
    return body.replace(b'"netWgt"', b'"netWeight"').replace(b'"lastReleased"', b'"released"')


def _doubled(body: bytes) -> bytes:
    answer = json.loads(body)
    return json.dumps({**answer, "data": answer["data"] * 2, "count": 2 * answer["count"]}).encode()
