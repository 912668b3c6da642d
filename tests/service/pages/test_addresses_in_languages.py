"""Every address of the app answers in every language, with every sentence formatted."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from fastapi import FastAPI
from service.web.report import render_page
from sqlalchemy import create_engine
from store.planning.audit import Actor, create_token
from store.planning.planning_rows import AlertRule, NeedRow, add_need, add_rule
from tests.publication.planning.conftest import LATER

from flows.alert_delivery import alert
from flows.context.stores import store_of
from publication.language.choice import LANGUAGES, in_language
from publication.language.phrases import gettext, translations_of
from publication.pages.page_charts import CHART_KINDS
from publication.pages.render import environment
from service.what_if import CHARTS
from store.facts.reading import latest_forecast
from store.publications.explanations import Precedent, StoredExplanation, save_explanation
from store.settings import Settings
from tests.service.builders import make_panel, make_report
from tests.service.report.test_table_report import make_table_report
from tests.service.scenario_service import WhatIf, what_if_over
from tests.service.second_commodity import GOODS
from tests.service.stores import NEWEST, NOW, copied, make_app, publish

LEVERS: Final = (
    "tariff_importer=USA&tariff_rate=60&tariff_from=2027-01",
    "licence_kind=export_ban&licence_for=JPN&licence_from=2027-02-10&licence_kept=0",
)
QUERIES: Final = {
    "/needs": ("tonnes=12&destination=USA", "tonnes=x", f"commodity={GOODS}"),
    "/policy": ("q=magnet", "page=99"),
    "/what-if": (*LEVERS, "tariff_rate=x&licence_kept=5&chance.a=2"),
    "/what-if/answer.csv": LEVERS,
    "/what-if/charts/{kind}.{form}": LEVERS,
}
"""What addresses are asked beside their bare form."""

PARTS: Final = {
    "commodity": (GOODS, "999999"),
    "destination": ("USA", "WLD", "XYZ"),
    "number": ("1", "99"),
    "kind": (*CHART_KINDS, *CHARTS, "nothing"),
    "form": ("json", "svg", "txt", "atom", "tiff"),
}
"""Values of each part of a path: the first of all parts together, then each other one alone."""

ENTRY: Final = {
    "name": "Plant", "destination": "USA", "period_from": "2027-01", "period_to": "2027-02",
    "period": "2027-01", "as_of": f"{LATER:%Y-%m-%d}", "tonnes": "9", "reason": "Tender",
    "watched": "median", "points": "5",
}  # fmt: skip
FORMS: Final = ({}, ENTRY, ENTRY | {"tonnes": "x", "points": "x"})
"""What is sent to each address of a form: nothing, what is taken, what is refused."""


def test_a_translation_that_cannot_be_formatted_is_logged_and_english(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence, many = "%(name)s: no change in any month.", "%(n)s months"
    catalogue = vars(translations_of("ko"))["_catalog"]
    monkeypatch.setitem(catalogue, sentence, "%(country)s: 5% 변화")
    monkeypatch.setitem(catalogue, (many, 0), "5%(개월")
    template = environment().from_string("{{ _(text, name=name) }} {{ ngettext('', many, 2) }}")

    with in_language("ko"):
        said = gettext(sentence, name="Chad")
        shown = template.render(text=sentence, many=many, name="<b>")

    assert said == "Chad: no change in any month."
    assert shown.startswith("&lt;b&gt;: no change in any month.")
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert "'ko'" in caplog.text


@pytest.fixture(scope="module")
def full(two_goods: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhatIf]:
    """A service over two commodities, with a need, a rule and an alert."""
    home = tmp_path_factory.mktemp("full")
    copied(two_goods, home)
    settings = Settings(home=home)
    engine, who = store_of(settings), Actor("ann")
    months = (NOW.normalize().replace(day=1, month=12).tz_localize(None),) * 2
    need = add_need(engine, NeedRow("plant", "USA", *months, 900.0), actor=who, at=NOW)
    for rule in (
        AlertRule("doubled", "median", 50.0, destination="USA"),
        AlertRule("short", "shortfall", 1.0, need_id=need),
    ):
        add_rule(engine, rule, actor=who, at=NOW, since=NEWEST)
    publish(engine, LATER, cutoff="2026-07", factor=2.0)
    past = Precedent("2023-07-gallium", "gallium", "export_control", {"1": 0.02, "2": 0.3})
    number = int(latest_forecast(engine)["publication"].iloc[0])
    save_explanation(engine, number, StoredExplanation(precedents=(past,)))
    alert(settings, NOW)
    token = create_token(engine, name="ann", scopes=["write", "read"], at=NOW)
    engine.dispose()
    with what_if_over(home / two_goods.name, tmp_path_factory.mktemp("served")) as opened:
        opened.client.headers.update({"Authorization": f"Bearer {token}", "Origin": opened.address})
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("code", LANGUAGES)
def test_every_address_answers_with_every_sentence_formatted(
    full: WhatIf, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(create_engine("sqlite://"))
    statuses = {
        address: full.client.get(in_words(address, code)).status_code
        for address in addresses(app, "GET")
    } | {
        f"POST {address} {number}": full.client.post(
            in_words(address, code), data=fields
        ).status_code
        for address in addresses(app, "POST")
        for number, fields in enumerate(FORMS)
    }
    with in_language(code):
        render_page(make_report(panel=make_panel().assign(kind="estimated"), kept=["WLD", "THA"]))
        render_page(make_table_report())

    assert {200, 303, 400, 404} <= {*statuses.values()}
    assert {address: status for address, status in statuses.items() if status >= 500} == {}
    assert [
        record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR
    ] == []


def in_words(address: str, code: str) -> str:
    """Return an address that names a language."""
    return f"{address}{'&' if '?' in address else '?'}lang={code}"


def addresses(app: FastAPI, method: str) -> Iterator[str]:
    """Yield the addresses of the pages, asked with all values of their parts and queries."""
    for route in app.routes:
        path = getattr(route, "path", "")
        if method not in getattr(route, "methods", ()) or path.startswith(("/api/", "/static/")):
            continue
        values = {part: PARTS[part] for part in re.findall(r"\{(\w+)\}", path)}
        first = {part: every[0] for part, every in values.items()}
        yield from {
            path.format(**first | {part: value}) for part in values for value in values[part]
        } or {path}
        yield from (f"{path.format(**first)}?{query}" for query in QUERIES.get(path, ()))
