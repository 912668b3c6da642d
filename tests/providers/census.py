"""US Census, international trade: imports by ten-digit line, as an array of arrays."""

import json
from dataclasses import dataclass, field

import pandas as pd

from tests.providers.answers import PAGE, Answer, Call, Provider

LINES = {"8505110030": 0.05, "8505110050": 0.1, "8505110070": 1.0, "8505110090": 0.2}
"""Lines with trade and their size; 8505110010 has none."""


@dataclass
class CensusWorld:
    first: str = "2017-01"
    last: str = "2026-09"
    unit: str = "KG"
    quantities: dict[tuple[str, str], int] = field(default_factory=dict)
    """By line and month, where it is not the usual one."""

    def row(self, line: str, month: str) -> list[str]:
        number = pd.Period(month, "M").ordinal
        kilograms = round(LINES[line] * (400_000 + number * 37 % 9_000))
        answer = self.quantities.get((line, month), kilograms)
        return [line, "5700", str(kilograms * 52), str(answer), self.unit]


def census(world: CensusWorld) -> Provider:
    return Provider(lambda call: _answer(world, call), _renamed, _doubled)


def _answer(world: CensusWorld, call: Call) -> Answer:
    key = call.one("key")
    if call.path:
        return Answer(PAGE, content_type="text/html")
    if not key or "wrong" in key:
        page = "/census/invalid_key.html" if key else "/census/missing_key.html"
        return Answer(b"", 302, headers={"Location": page})
    names = call.many("get")
    _, first, _, last = call.one("time").split()
    line = call.one("I_COMMODITY")
    months = pd.period_range(max(first, world.first), min(last, world.last), freq="M")
    if line not in LINES or not len(months):
        return Answer(b"", 204)
    head = [*names, "COMM_LVL", "I_COMMODITY", "CTY_CODE", "time"]
    rows = [[*world.row(line, str(m)), "HS10", line, "5700", str(m)] for m in months]
    return Answer(json.dumps([head, *rows]).encode())


def _renamed(body: bytes) -> bytes:
    return body.replace(b"GEN_QY1_MO", b"GEN_QTY_MO")


def _doubled(body: bytes) -> bytes:
    head, *rows = json.loads(body)
    return json.dumps([head, *rows, *rows]).encode()
