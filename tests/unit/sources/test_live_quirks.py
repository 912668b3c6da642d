"""What each live source refuses, leaves out and notes; tests/contract has what all promise."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from store.errors import SourceError
from store.facts.batch import FileRows
from tests.providers.answers import Answer, Call
from tests.providers.server import Providers
from tests.unit.sources.conftest import Fetch

Change = Callable[[Providers], object]


def edited(provider: str, edit: Callable[[Call, bytes], bytes]) -> Change:
    """Return a change of every body that a provider sends."""

    def change(providers: Providers) -> None:
        served = providers.providers[provider]

        def answer(call: Call) -> Answer:
            sent = served.answer(call)
            return replace(sent, body=edit(call, sent.body))

        providers.providers[provider] = replace(served, answer=answer)

    return change


def in_comtrade(edit: Callable[[dict[str, Any]], object]) -> Change:
    """Return a change of every answer of Comtrade with rows."""

    def body(call: Call, sent: bytes) -> bytes:
        if call.path.startswith("public/v1/getDA"):
            return sent
        answer = json.loads(sent)
        edit(answer)
        return json.dumps(answer).encode()

    return edited("comtrade", body)


def updated(**changes: object) -> Change:
    """Return a change of Comtrade's answer where it has these names, else of its rows."""

    def edit(answer: dict[str, Any]) -> None:
        for part in [answer] if changes.keys() <= answer.keys() else answer["data"]:
            part.update(changes)

    return in_comtrade(edit)


def document(number: int, day: str) -> dict[str, object]:
    return {
        "document_number": f"2026-{number:05d}", "title": "Duties under 8505.11", "type": "Notice",
        "publication_date": day, "html_url": f"https://www.federalregister.gov/d/2026-{number}",
    }  # fmt: skip


def documents(*items: dict[str, object], count: int = 0) -> Change:
    body = json.dumps({"count": count or len(items), "results": items}).encode()
    return edited("federal_register", lambda _call, _sent: body)


def announced(place: int, **changes: str) -> Change:
    def change(providers: Providers) -> None:
        announcements = providers.world.policy.announcements
        announcements[place] = replace(announcements[place], **changes)

    return change


def nothing(_: Providers) -> None:
    """Change nothing."""


def empty_feed(providers: Providers) -> None:
    providers.world.policy.feed = []


REFUSED: dict[str, tuple[str, str, Change, str]] = {
    "listed without rows": (
        "comtrade", "2024-03", updated(count=0, data=[]), "lists 202403 as available and has no r",
    ),
    "an error": ("comtrade", "2024-03", updated(error="Try later"), "the answer is 'Try later'"),
    "period": ("comtrade", "2024-03", updated(period="202407"), "period 202407 was not asked for"),
    "reporter": ("comtrade", "2024-03", updated(reporterCode=842), "reporterCode 842 was not ask"),
    "code": ("comtrade", "2024-03", updated(cmdCode="8505"), "cmdCode 8505 was not asked for"),
    "splits": ("comtrade", "2024-03", updated(motCode=2100), "25 cells come in splits only"),
    "words": ("comtrade", "2024-03", updated(netWgt="many"), "'netWgt' that is not a number"),
    "no records": ("comtrade", "2024-03", updated(data={}), "no list of records 'data'"),
    "too many": (
        "federal_register", "2026-01", documents(document(1, "2026-01-05"), count=2_001),
        "2001 documents.*for one year.*narrower term",
    ),
    **{
        f"day {day!r}": (
            "federal_register", "2026-01", documents(document(1, day)),
            r"federal_register failed .* cannot be used",
        )
        for day in ("", "2026-01-05 or so", "January 5, 2026")
    },
    "an empty feed": (
        "cbp", "2024-01", empty_feed, r"without entries.*messages of US customs.*events FILE",
    ),
    "no list": ("mofcom", "2026-01", nothing, "has no list of 2026-01, at .*ingest events FILE"),
    "no date on the list": (
        "mofcom", "2025-10", announced(1, shown=""),
        "lists '商务部公告2025第61号.* without a date.*ingest events FILE",
    ),
    "a foreign page": (
        "mofcom", "2025-10", announced(1, whole="<p>关于苯酚</p></html>"),
        "without 商务部公告2025年第61号",
    ),
    "no date on the page": (
        "mofcom", "2025-10", announced(1, whole="<p>公告2025年第61号</p></html>"),
        "gives no date of 商务部公告2025年第61号",
    ),
    "a cut page": (
        "mofcom", "2025-10", announced(1, whole="<p>商务部公告2025年第61号"), "no whole page",
    ),
}  # fmt: skip


@pytest.mark.parametrize("quirk", REFUSED)
def test_an_answer_in_doubt_is_refused_with_what_to_do(
    providers: Providers, fetch: Fetch, quirk: str
) -> None:
    name, month, change, message = REFUSED[quirk]
    change(providers)

    with pytest.raises(SourceError, match=message):
        fetch(name, month)


UNREADABLE = "1 rows whose numbers cannot be read: left out"
LEFT_OUT: dict[str, tuple[str, str, Change, set[str], str]] = {
    "no weight": (
        "comtrade", "2024-03",
        lambda p: setattr(p.world.comtrade, "weightless", frozenset({("202403", 842)})),
        {"net_weight_t"}, "1 rows without a weight: their value alone is taken",
    ),
    "a group": (
        "comtrade", "2024-03", lambda p: setattr(p.world.comtrade, "groups", True),
        set(), "1 rows of groups of countries (ASEAN): sums of others",
    ),
    **{
        f"{change} of Comtrade": (
            "comtrade", "2024-03",
            in_comtrade(lambda answer, change=change: answer["data"][0].update(change)),
            {"net_weight_t", "value_musd"}, UNREADABLE,
        )
        for change in ({"netWgt": "many"}, {"primaryValue": "n.a."}, {"partnerCode": None})
    },
}  # fmt: skip


@pytest.mark.parametrize("quirk", LEFT_OUT)
def test_a_row_that_cannot_be_used_is_noted_and_loses_no_other(
    providers: Providers, fetch: Fetch, quirk: str
) -> None:
    name, month, change, measures, note = LEFT_OUT[quirk]
    plain = cells(fetch(name, month))
    change(providers)

    file = fetch(name, month)

    lost = plain.keys() - cells(file).keys()
    assert {measure for *_, measure in lost} == measures
    assert len({place for place, *_ in lost}) <= 1
    assert cells(file) == {cell: value for cell, value in plain.items() if cell not in lost}
    assert file.ignored == ((note,) if note else ())


def cells(file: FileRows) -> dict[tuple[str, ...], float]:
    rows = file.tables["observations"]
    keys = rows[["destination", "commodity", "measure"]].itertuples(index=False, name=None)
    return dict(zip(keys, rows["value"], strict=True))


def late_feed(providers: Providers) -> None:
    providers.world.policy.feed = providers.world.policy.feed[:3]


def late_lists(providers: Providers) -> None:
    old = providers.world.policy.announcements[2]
    providers.world.policy.announcements = [
        replace(old, day=day) for day in ("2026-03-02", "2024-01-08")
    ]


@pytest.mark.parametrize(
    ("source", "change", "notes"),
    [
        (
            ("cbp", "2024-01", "2025-12"), late_feed,
            ["messages of US customs before 2024-07-15: not read"],
        ),
        (
            ("gacc", "2024-01", "2025-12"), nothing,
            ["announcements from 2024-01-01 to 2024-08-15: not on the list"],
        ),
        (("mofcom", "2025-04", "2026-01"), nothing, ["announcements of 2026-01: no list"]),
        (
            ("mofcom", "2023-05", "2026-08"), late_lists,
            [
                "announcements before 2024-01-01: not read",
                "announcements of 2025-01..2025-12: no list",
                "announcements from 2026-01-01 to 2026-03-02: not on the list",
            ],
        ),
    ],
)  # fmt: skip
def test_months_without_data_are_noted(
    providers: Providers, fetch: Fetch, source: tuple[str, ...], change: Change, notes: list[str]
) -> None:
    change(providers)

    assert [*fetch(*source).ignored] == [*fetch(*source, offline=True).ignored] == notes


def test_a_missing_weight_is_taken_from_a_quantity_in_kilograms(
    providers: Providers, fetch: Fetch
) -> None:
    providers.world.comtrade.weightless = frozenset({("202403", 842)})
    quantity = {"qty": 4711.0, "qtyUnitCode": 8}
    in_comtrade(lambda answer: [row.update(quantity) for row in answer["data"]])(providers)

    tonnes = cells(fetch("comtrade", "2024-03"))

    assert tonnes["USA", "850511", "net_weight_t"] == pytest.approx(4.711)
    assert tonnes["DEU", "850511", "net_weight_t"] != pytest.approx(4.711)
