"""Planning on other commodities than magnets: needs, rules, overrides, alerts and labels."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from flows.alert_delivery import alert
from flows.context.stores import store_of
from service.api.response_models import Page
from service.planning import entries
from store.database import open_store
from store.facts.commodities import save_label
from store.planning.audit import Actor
from store.planning.planning_rows import AlertRule, add_rule, read_planning
from store.settings import Settings
from tests.service.planning_clients import (
    API,
    form,
    planning_client_of,
    planning_client_over,
    posted,
)
from tests.service.second_commodity import GOODS, add_commodity
from tests.service.stores import NEWEST, copied, publish

OTHER = f"commodity={GOODS}"
LATER = datetime(2026, 11, 25, tzinfo=UTC)
NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
NEED = {"name": "Chip plant", "commodity": GOODS, "destination": "FRA", "period_from": "2026-12",
        "period_to": "2027-03", "tonnes": 50.0}  # fmt: skip
RULE = {"name": "down", "commodity": GOODS, "measure": "median", "destination": "FRA", "points": 5}
OVERRIDE = {"commodity": GOODS, "destination": "USA", "period": "2026-12", "tonnes": 77.5,
            "reason": "a new licence"}  # fmt: skip
SPACE = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def store(two_goods: Path, tmp_path: Path) -> Iterator[Engine]:
    """A store with two commodities of this test's own."""
    opened = open_store(copied(two_goods, tmp_path))
    yield opened
    opened.dispose()


@pytest.fixture
def planner(store: Engine) -> Iterator[TestClient]:
    """Client of the app, with a token that may write."""
    with planning_client_of(store) as client:
        yield client


@pytest.fixture(scope="module")
def untouched(two_goods: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Client as ``planner``, of all tests after which nothing is written."""
    with planning_client_over(two_goods, tmp_path_factory.mktemp("untouched")) as client:
        yield client


@pytest.mark.slow
def test_lists_are_of_the_magnets_unless_others_are_named(planner: TestClient) -> None:
    written = {
        "needs": (NEED, entries.NeedResponse),
        "alert-rules": (RULE, entries.RuleResponse),
        "overrides": (OVERRIDE, entries.OverrideResponse),
    }
    for path, (row, model) in written.items():
        posted(planner, path, row)

        plain, named = (planner.get(f"{API}/{path}{ending}").json() for ending in ("", f"?{OTHER}"))

        assert plain["total"] == 0
        Page[model].model_validate(named)
        assert [row["commodity"] for row in named["items"]] == [GOODS]
        rows = list(
            csv.DictReader(io.StringIO(planner.get(f"{API}/{path}?{OTHER}&format=csv").text))
        )
        assert [row["commodity"] for row in rows] == [GOODS]


@pytest.mark.slow
def test_an_override_stays_beside_the_median_of_its_goods_alone(planner: TestClient) -> None:
    made = posted(planner, "overrides", OVERRIDE)

    assert (made["commodity"], made["tonnes"], made["counts"]) == (GOODS, 77.5, True)
    magnets, other = (
        planner.get(f"{API}/forecasts/USA{ending}").text for ending in ("", f"?{OTHER}")
    )
    assert ("a new licence" in magnets, "a new licence" in other) == (False, True)
    pages = {place: planner.get(place).text for place in (
        "/destinations/USA", f"/goods/{GOODS}/destinations/USA", "/track-record",
        f"/goods/{GOODS}/track-record",
    )}  # fmt: skip
    result = {place: "a new licence" in text or "no figure has been published yet" in text
            for place, text in pages.items()}  # fmt: skip
    assert list(result.values()) == [False, True, False, True]
    trail = planner.get(f"{API}/audit").json()["items"][0]
    assert trail["object"] == f"forecast {GOODS}|USA|2026-12|2026-11-24T00:00:00Z"
    posted(planner, "overrides", {**OVERRIDE, "commodity": "85051110", "reason": "a large order"})
    shown = [planner.get(place).text for place in list(pages)[:2]]
    assert ["a large order" in text for text in shown] == [True, False]
    assert "a large order" not in planner.get(f"{API}/forecasts/USA?{OTHER}").text


@pytest.mark.slow
def test_forms_of_other_goods_write_and_lead_back_to_them(planner: TestClient) -> None:
    overridden = {**OVERRIDE, "tonnes": "77.5", "as_of": "2026-11-24T00:00:00Z"}
    rule = {"name": "down", "commodity": GOODS, "watched": "median:FRA", "points": "5"}

    answers = [
        form(planner, "/needs", {**NEED, "tonnes": "50"}),
        form(planner, "/alert-rules", rule),
        form(planner, "/overrides", overridden),
    ]

    assert [(answer.status_code, answer.headers["location"]) for answer in answers] == [
        (303, f"/needs?{OTHER}#need-1"), (303, f"/needs?{OTHER}#rules"),
        (303, f"/goods/{GOODS}/destinations/USA#months-head"),
    ]  # fmt: skip
    page = planner.get("/needs").text
    assert f"commodity {GOODS}, 50&nbsp;t a month for" in page
    assert f'<a href="/goods/{GOODS}/destinations/FRA">France</a>' in page
    assert f"commodity {GOODS}, France" in page
    assert f"/api/v1/needs?format=csv&amp;limit=1000&amp;{OTHER}" in page


@pytest.fixture
def settings(two_goods: Path, tmp_path: Path) -> Iterator[Settings]:
    copied(two_goods, tmp_path)
    made = Settings(home=tmp_path)
    yield made
    store_of(made).dispose()


@pytest.mark.slow
def test_a_rule_looks_at_the_publications_of_its_commodity_alone(settings: Settings) -> None:
    engine = store_of(settings)
    for commodity, destination in ((GOODS, "FRA"), ("", "USA")):
        rule = AlertRule("doubled", "median", 50.0, destination=destination, commodity=commodity)
        add_rule(engine, rule, actor=Actor("ann"), at=NOW, since=NEWEST)
    save_label(engine, GOODS, "gallium", at=NOW)

    add_commodity(engine, as_of=LATER, factor=2.0)
    first = alert(settings, NOW)
    publish(engine, LATER, cutoff="2026-07", factor=3.0)
    second, third = alert(settings, NOW), alert(settings, NOW)

    assert [(t.looked, t.fired) for t in (first, second, third)] == [(1, 1), (1, 1), (0, 0)]
    rows = read_planning(engine).alerts.sort_values("rule_id")
    other, magnets = rows["message"]
    assert f"gallium ({GOODS}), France: median in November 2026 went from" in other
    assert magnets.startswith("United States: median in")


@pytest.mark.slow
def test_feed_and_messages_name_the_commodity(store: Engine, planner: TestClient) -> None:
    posted(planner, "alert-rules", RULE)
    add_commodity(store, as_of=LATER, factor=2.0)
    home = Path(str(store.url.database)).parent
    settings = Settings(home=home)
    alert(settings, NOW)
    store_of(settings).dispose()
    planner.app.state.shared.live.refresh()

    feed = ET.fromstring(planner.get("/alerts.atom").text)  # noqa: S314 - our own feed
    terms = [found.attrib["term"] for found in feed.findall(f"{SPACE}entry/{SPACE}category")]
    rows = {e: planner.get(f"{API}/alerts{e}").json()["items"] for e in ("", f"?{OTHER}")}
    assert terms == [GOODS]
    assert [[row["commodity"] for row in result] for result in rows.values()] == [[], [GOODS]]
    assert f"commodity {GOODS}, France" in json.dumps(rows[f"?{OTHER}"])
