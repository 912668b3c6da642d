"""UN Comtrade v1: get, preview and getDA, over a generated world of monthly trade."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
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
PREVIEW_ROWS = 500


@dataclass
class ComtradeWorld:
    """Exports by month and partner; the importers' records follow from them."""

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
    key = call.headers.get("Ocp-Apim-Subscription-Key", "")
    preview = call.path == "public/v1/preview/C/M/HS"
    if call.path == "public/v1/getDA/C/M/HS":
        return _body(_availability(world, call))
    if call.path != "data/v1/get/C/M/HS" and not preview:
        return _fault(404, "Resource not found")
    if not preview and (not key or "wrong" in key):
        return _fault(401, f"Access denied due to invalid subscription key {key}.")
    if len(call.many("period")) > 12:
        return _fault(400, "period: at most 12 values")
    rows = list(_rows(world, call))
    if preview:
        return _body(rows[:PREVIEW_ROWS])
    return _body(rows[: world.most_rows], count=len(rows))


def _rows(world: ComtradeWorld, call: Call) -> Iterator[dict[str, object]]:
    exports = call.one("flowCode") == "X"
    good = call.one("cmdCode")
    wanted = {int(code) for code in call.many("partnerCode" if exports else "reporterCode")}
    for month in call.many("period"):
        if month in world.months:
            for row in _month(world, month, good, exports=exports):
                if not wanted or row["partnerCode" if exports else "reporterCode"] in wanted:
                    yield row
                    yield from _by_mode(row) if world.splits else ()


def _month(
    world: ComtradeWorld, month: str, good: str, *, exports: bool
) -> Iterator[dict[str, object]]:
    weight = value = 0.0
    for place, code in enumerate(world.codes):
        if (magnets := world.cell(month, place)) is None:
            continue
        cell = tuple(round(amount * world.factor(good), 2) for amount in magnets)
        weight, value = weight + cell[0], value + cell[1]
        unknown = (month, code) in world.weightless
        if exports:
            yield _row(
                month, "X", good, reporter=CHINA, partner=code,
                kilograms=None if unknown else cell[0], usd=cell[1],
            )  # fmt: skip
        elif code != AREAS_NES and place < 90:
            told = round(cell[0] * (0.9 + code % 7 / 30))
            yield _row(
                month, "M", good, reporter=code, partner=CHINA,
                kilograms=None if unknown else told, usd=round(cell[1] * 1.06, 2),
            )  # fmt: skip
    if exports:
        yield _row(
            month, "X", good, reporter=CHINA, partner=0, kilograms=weight, usd=round(value, 2)
        )


def _row(
    month: str,
    flow: str,
    good: str,
    *,
    reporter: int,
    partner: int,
    kilograms: float | None,
    usd: float,
) -> dict[str, object]:
    return {
        "typeCode": "C", "freqCode": "M", "refPeriodId": int(f"{month}01"), "period": month,
        "reporterCode": reporter, "flowCode": flow, "partnerCode": partner, "partner2Code": 0,
        "classificationCode": "H6", "cmdCode": good, "customsCode": "C00", "mosCode": "0",
        "motCode": 0, "qtyUnitCode": 8, "qty": kilograms, "isQtyEstimated": False,
        "netWgt": kilograms, "isNetWgtEstimated": False, "grossWgt": None,
        "cifvalue": usd if flow == "M" else None, "fobvalue": usd if flow == "X" else None,
        "primaryValue": usd, "isReported": True, "isAggregate": partner == 0,
    }  # fmt: skip


def _by_mode(row: dict[str, object]) -> Iterator[dict[str, object]]:
    """Tell a row again by sea and by air."""
    for mode in (2100, 1000):
        yield {**row, "motCode": mode}


def _availability(world: ComtradeWorld, call: Call) -> list[dict[str, object]]:
    reporter = call.one("reporterCode")
    reporters = [int(reporter)] if reporter else [CHINA, *world.codes[:90]]
    return [
        {
            "typeCode": "C", "freqCode": "M", "period": int(month), "reporterCode": code,
            "classificationCode": "H6", "classificationSearchCode": "HS",
            "totalRecords": 1000, "firstReleased": world.release(month, code),
            "lastReleased": world.release(month, code),
        }
        for month in call.many("period")
        if month in world.months
        for code in reporters
    ]  # fmt: skip


def _body(rows: list[dict[str, object]], count: int | None = None) -> Answer:
    counted = len(rows) if count is None else count
    told = {"elapsedMs": "0.9 secs", "count": counted, "data": rows, "error": ""}
    return Answer(json.dumps(told).encode())


def _fault(status: int, message: str) -> Answer:
    return Answer(json.dumps({"statusCode": status, "message": message}).encode(), status)


def _renamed(body: bytes) -> bytes:
    return body.replace(b'"netWgt"', b'"netWeight"').replace(b'"lastReleased"', b'"released"')


def _doubled(body: bytes) -> bytes:
    answer = json.loads(body)
    return json.dumps({**answer, "data": answer["data"] * 2, "count": 2 * answer["count"]}).encode()
