"""Planning on other commodities than magnets: needs, rules, others' forecasts, alerts, labels."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from service.api.response_models import Page
from sqlalchemy import Engine
from starlette.testclient import TestClient
from store.planning.audit import Actor
from store.planning.planning_rows import AlertRule, add_rule, read_planning
from tests.publication.planning.conftest import home_of

from flows.alert_delivery import alert
from flows.context.stores import store_of
from publication.planning import entries
from publication.planning.rivals import RivalResponse
from store.database import open_store
from store.facts.commodities import save_label
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
RIVAL = {"name": "Example Bank", "made_on": "2026-11-24", "commodity": GOODS, "destination": "USA",
         "period": "2026-12", "tonnes": 77.5}  # fmt: skip


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
        "rival-forecasts": ([RIVAL], RivalResponse),
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
def test_a_forecast_by_another_stays_beside_the_median_of_its_commodity_alone(
    planner: TestClient,
) -> None:
    posted(planner, "rival-forecasts", [RIVAL])

    places = {
        f"{API}/forecasts/USA": False, f"{API}/forecasts/USA?{OTHER}": True,
        "/destinations/USA": False, f"/goods/{GOODS}/destinations/USA": True,
    }  # fmt: skip
    assert {place: "Example Bank" in planner.get(place).text for place in places} == places


@pytest.mark.slow
def test_forms_of_another_commodity_lead_back_to_it(planner: TestClient) -> None:
    rule = {"name": "down", "commodity": GOODS, "watched": "median:FRA", "points": "5"}
    sent = {
        "/needs": ({**NEED, "tonnes": "50"}, f"/needs?{OTHER}#need-1"),
        "/alert-rules": (rule, f"/needs?{OTHER}#rules"),
        "/rival-forecasts": (
            {**RIVAL, "source": "", "by_month": "2026-12 77.5"},
            f"/goods/{GOODS}/destinations/USA#months-head",
        ),
    }

    answers = {path: form(planner, path, fields) for path, (fields, _) in sent.items()}

    for path, (_, place) in sent.items():
        assert (answers[path].status_code, answers[path].headers["location"]) == (303, place)


@pytest.fixture
def settings(two_goods: Path, tmp_path: Path) -> Iterator[Settings]:
    yield from home_of(two_goods, tmp_path)


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
