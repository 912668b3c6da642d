import base64
import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from fastapi.routing import APIRoute
from python_calamine import CalamineWorkbook
from service.api.response_models import Page, Problem
from service.charts.fan import fan_of
from service.http.responses import json_answer
from service.planning import entries
from service.planning.rivals import RivalResponse, rival_cells, rival_scores
from service.queries.destination_months import normal_month
from service.state import may_write
from service.words import chance_below
from sqlalchemy import Engine
from starlette.testclient import TestClient
from store.planning.audit import Actor, create_token, revoke_token
from store.planning.planning_rows import (
    PlanningRows,
    RivalForecast,
    add_rival_forecasts,
    end_need,
    read_planning,
)

from models.forecasting.joint_paths import USUAL_CARRY
from store.database import open_store
from store.publications.backtests import write_scores
from store.publications.explanations import Announced, StoredExplanation, save_explanation
from store.vocabulary import ERROR_AUTOCORRELATION, QUANTILE_COLUMNS
from tests.service.planning_clients import (
    API,
    HOOKED,
    form,
    planning_client_of,
    planning_client_over,
    posted,
)
from tests.service.stores import EARLIER, NEWEST, NOW, make_app, make_live

AT = datetime(2026, 11, 25, tzinfo=UTC)
NEED = {"name": "Motor plant", "destination": "USA", "period_from": "2026-12",
        "period_to": "2027-03", "tonnes": 600.0}  # fmt: skip
PLANT = {**NEED, "destination": "KOR", "period_to": "2027-11", "tonnes": 20.0, "stock": 30.0,
         "lead_days": 60}  # fmt: skip
RULE = {"name": "down", "measure": "median", "destination": "USA", "points": 5.0}
RIVAL = {"name": "Example Bank", "source": "two licences", "made_on": "2026-11-24",
         "destination": "USA", "period": "2026-12", "tonnes": 450.5}  # fmt: skip
ATTACK = "=<script>alert(1)</script>\"'"


@pytest.fixture
def token(engine: Engine) -> str:
    return create_token(engine, name="planner", scopes=["write"], at=NEWEST)


@pytest.fixture
def planner(engine: Engine, token: str) -> Iterator[TestClient]:
    """Client of the app, with a token that may write."""
    with planning_client_of(engine, token) as client:
        yield client


@pytest.fixture(scope="module")
def untouched(
    published_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """Client as ``planner``, of all tests after which nothing is written."""
    with planning_client_over(published_store, tmp_path_factory.mktemp("untouched")) as client:
        yield client


def planned(client: TestClient) -> PlanningRows:
    """Return what planners wrote into the store of a client's app."""
    return read_planning(client.app.state.shared.live.engine)


def test_a_need_has_the_chance_of_a_shortfall_and_the_buffer(planner: TestClient) -> None:
    made = posted(planner, "needs", NEED)

    entries.NeedResponse.model_validate(made)
    forecast = planner.get(f"{API}/forecasts/USA").json()["months"]
    own = [m for m in forecast if "2026-12" <= m["period"] <= "2027-03"]
    wanted = [chance_below([m[name] for name in QUANTILE_COLUMNS], 600.0) for m in own]
    assert [m["period"] for m in made["months"]] == [m["period"] for m in own]
    found = [m["chance_of_shortfall"] for m in made["months"]]
    assert found == pytest.approx(wanted, abs=1e-4)
    assert max(found) <= made["chance_any_month"] <= min(1, sum(found)) + 0.05
    assert 0 < made["buffer_90_t"] <= made["buffer_95_t"]
    assert (made["first_month"], made["last_month"]) == ("2026-12", "2027-03")
    assert planner.get(f"{API}/needs/{made['id']}").json() == made
    Page[entries.NeedResponse].model_validate(planner.get(f"{API}/needs").json())


def test_rules_are_made_and_listed_before_anything_is_published(tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    writer = create_token(engine, name="planner", scopes=["write"], at=NEWEST)
    with planning_client_of(engine, writer) as empty:
        made = posted(empty, "alert-rules", RULE)
        listed = [empty.get(f"{API}/{path}") for path in ("alert-rules", "alerts")]
        other = empty.get(f"{API}/alerts?commodity=811292")
    engine.dispose()

    assert made["since"] is None
    assert [answer.status_code for answer in listed] == [200, 200]
    assert [row["name"] for row in listed[0].json()["items"]] == ["down"]
    assert listed[1].json()["items"] == []
    assert other.status_code == 503


def test_past_months_have_a_chance_and_no_part_in_the_buffer(planner: TestClient) -> None:
    made = posted(planner, "needs", {**NEED, "period_from": "2026-07", "period_to": "2026-12"})

    past = {m["period"]: m["past"] for m in made["months"]}
    assert past == {"2026-08": True, "2026-09": True, "2026-10": True, "2026-11": False,
                    "2026-12": False}  # fmt: skip
    assert (made["first_month"], made["last_month"]) == ("2026-11", "2026-12")


def test_a_need_beyond_the_forecast_has_no_buffer(planner: TestClient) -> None:
    made = posted(planner, "needs", {**NEED, "period_from": "2028-01", "period_to": "2028-03"})

    assert (made["months"], made["buffer_90_t"], made["chance_any_month"]) == ([], None, None)
    assert "there is no safety stock to compute" in planner.get("/needs").text


@pytest.mark.parametrize("path", ["needs", "alert-rules", "rival-forecasts"])
def test_writing_needs_a_token_that_may_write(untouched: TestClient, path: str) -> None:
    result = {"needs": NEED, "alert-rules": RULE, "rival-forecasts": [RIVAL]}[path]
    live = untouched.app.state.shared.live
    reader = create_token(live.engine, name=f"guest of {path}", scopes=["read"], at=NEWEST)
    live.refresh()

    codes = [
        untouched.post(f"{API}/{path}", json=result, headers={"Authorization": header})
        for header in ("", f"Bearer {reader}")
    ]

    assert [answer.status_code for answer in codes] == [401, 403]
    assert codes[0].headers["www-authenticate"].startswith("Bearer")
    for answer in codes:
        Problem.model_validate(answer.json())
    assert untouched.get(f"{API}/{path}").json()["total"] == 0


@pytest.mark.slow
def test_a_token_revoked_a_moment_ago_writes_nothing(engine: Engine) -> None:
    token = create_token(engine, name="planner", scopes=["write"], at=NEWEST)
    live = make_live(engine)
    live.refresh()
    app = make_app(engine)
    with TestClient(app) as client:
        served = app.state.shared.live
        served.stop()
        revoke_token(engine, 1, at=AT)
        # The service has not looked yet: the transaction knows better.
        assert served.tokens
        answer = client.post(
            f"{API}/needs", json=NEED, headers={"Authorization": f"Bearer {token}"}
        )

    assert answer.status_code == 401
    assert "not active" in answer.json()["detail"]
    assert read_planning(engine).needs.empty


def test_only_json_is_taken(untouched: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = untouched.post(
            f"{API}/needs", content=b'{"name":"x"}', headers={"Content-Type": kind}
        )
        assert answer.status_code == 422
    assert untouched.get(f"{API}/needs").json()["total"] == 0


def test_what_ended_is_gone_and_its_trail_stays(planner: TestClient) -> None:
    need = posted(planner, "needs", NEED)["id"]
    own = {"name": "short", "measure": "shortfall", "need_id": need, "points": 10.0}
    rule = posted(planner, "alert-rules", own)
    other = posted(planner, "alert-rules", RULE)

    gone = [planner.delete(f"{API}/{p}").status_code for p in (f"needs/{need}", f"needs/{need}")]
    ended = planner.delete(f"{API}/alert-rules/{other['id']}").status_code

    assert (gone, ended) == ([204, 404], 204)
    assert rule["destination"] == "USA"
    assert planner.get(f"{API}/needs/{need}").status_code == 404
    assert planner.get(f"{API}/alert-rules").json()["total"] == 0
    trail = planner.get(f"{API}/audit").json()
    Page[entries.AuditEntryResponse].model_validate(trail)
    assert [(row["actor"], row["action"], row["object"]) for row in trail["items"][:3]] == [
        ("planner", "end", "alert rule 2"),
        ("planner", "end", "alert rule 1"),
        ("planner", "end", "need 1"),
    ]


def test_the_audit_trail_is_kept_by_no_cache(untouched: TestClient) -> None:
    for path in ("/audit", f"{API}/audit", f"{API}/audit?format=csv"):
        assert untouched.get(path).headers["cache-control"] == "no-store"


def test_the_audit_trail_needs_a_token_where_reading_needs_none(planner: TestClient) -> None:
    del planner.headers["Authorization"]

    assert planner.get("/needs").status_code == 200
    for path, scheme in (("/audit", "Basic"), (f"{API}/audit", "Bearer")):
        answer = planner.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith(scheme)


def test_a_forecast_by_another_stays_beside_ours_and_never_in_its_place(
    planner: TestClient,
) -> None:
    before = planner.get(f"{API}/forecasts/USA").json()
    earlier = {**RIVAL, "made_on": "2026-11-20", "tonnes": 1.0}
    posted(planner, "rival-forecasts", [earlier, RIVAL, {**RIVAL, "name": "ann", "tonnes": 500.0}])

    after = planner.get(f"{API}/forecasts/USA").json()
    month = next(m for m in after["months"] if m["period"] == "2026-12")
    others = month.pop("rivals")
    assert after == before
    assert [(one["name"], one["tonnes"]) for one in others] == [
        ("Example Bank", 450.5), ("ann", 500.0),
    ]  # fmt: skip
    rows = planner.get(f"{API}/rival-forecasts").json()
    Page[RivalResponse].model_validate(rows)
    assert [(row["tonnes"], row["lead"]) for row in rows["items"]] == [
        (500.0, 1), (450.5, 1), (1.0, 1),
    ]  # fmt: skip
    p50 = pytest.approx(month["p50"], abs=1e-3)
    assert [row["p50"] for row in rows["items"]] == [p50] * 3, "an earlier day gains nothing"
    before = planner.get(f"{API}/forecasts/USA?as_of=2025-08-25").json()["months"]
    assert not [one for one in before if "rivals" in one], "none was entered by then"


def test_a_forecast_by_another_is_drawn_named_and_told_where_it_disagrees(
    planner: TestClient,
) -> None:
    posted(planner, "rival-forecasts", [{**RIVAL, "tonnes": 5.0}])

    page = planner.get("/destinations/USA").text
    chart = planner.get("/charts/fan/USA.json").text
    rows = planner.get("/charts/fan/USA.csv").text

    assert (
        "Example Bank (24 Nov 2026) expects 5.0\u00a0t for December 2026, below our 80% band"
        in page
    )
    assert "Example Bank: 5&nbsp;t" in page.replace("\u00a0", "&nbsp;")
    assert '"name":"Example Bank"' in chart
    assert "2026-12,Example Bank,5.0" in rows
    assert "Example Bank" not in planner.get("/charts/fan/JPN.json").text
    posted(planner, "rival-forecasts", [{**RIVAL, "name": "A Bank"}])
    assert "A Bank" in planner.get("/destinations/USA").text


def test_a_file_of_forecasts_by_others_is_taken_whole_or_not_at_all(planner: TestClient) -> None:
    head = "name,source,made_on,destination,period,tonnes"
    good = "Example Bank,outlook,2026-11-24,USA,2026-12,450.5"
    address = f"{API}/rival-forecasts/file"

    answers = [
        planner.post(
            address, content="\n".join([head, *lines]), headers={"Content-Type": "text/csv"}
        )
        for lines in ([good, good.replace("450.5", "much")], [good, good.replace("USA", "DEU")])
    ]
    lacking, foreign, further = (
        planner.post(address, content=content, headers={"Content-Type": "text/csv"})
        for content in ("a\rb", "\n".join([head, good]).encode("utf-16"), f"{head}\n{good},7")
    )

    assert [answer.status_code for answer in answers] == [400, 201]
    assert "Line 3, tonnes" in answers[0].json()["detail"]
    assert "no column destination" in lacking.json()["detail"]
    assert "Save it as CSV UTF-8" in foreign.json()["detail"]
    assert "Line 2" in further.json()["detail"]
    assert planner.get(f"{API}/rival-forecasts").json()["total"] == 2


@pytest.mark.slow
def test_forecasts_by_others_are_scored_as_ours_for_the_same_months(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.planning.audit.check_clock", lambda *_: None)  # written in the past
    live = make_live(engine)
    live.refresh()
    publication = live.publication
    truth = publication.snapshot.panel.query("destination == 'USA' and kind == 'observed'")
    truth = truth.loc[truth["period"] > "2025-08-01"].head(6)
    medians = publication.forecasts_at(pd.Timestamp(EARLIER)).query("destination == 'USA'")
    p50 = medians.set_index("period")["p50"]
    loaded = publication.published.vintages["ingested_at"].min()

    def tell(name: str, weight: float, at: pd.Timestamp, day: str = "") -> None:
        made_on = pd.Timestamp(day or EARLIER.date())
        rows = [
            RivalForecast(name, "", made_on, "USA", row["period"], (1 - weight) * row["tonnes"]
                          + weight * float(p50[f"{row['period']:%Y-%m}"]))
            for row in truth.to_dict("records")
        ]  # fmt: skip
        add_rival_forecasts(engine, rows, actor=Actor("ann"), at=at)

    tell("near", 0.5, loaded - pd.Timedelta(seconds=30))
    tell("near", 0.25, loaded - pd.Timedelta(seconds=12))
    # Its own day is before any forecast of ours; what counts is the day of its entry.
    tell("early", 0.25, loaded - pd.Timedelta(seconds=12), "2025-01-01")
    # Who knows the figures forecasts nothing.
    tell("late", 0.0, loaded + pd.Timedelta(seconds=12))

    planning = live.refresh_planning()
    cells = rival_cells(publication, planning)
    scores = rival_scores(publication, planning)
    n = len(truth)
    assert n >= 5
    assert cells["scored"].tolist() == [False] * n + [True] * 2 * n + [False] * n
    assert {row["name"] for row in scores} == {"near", "early"}
    early, near = ([{**row, "name": ""} for row in scores if row["name"] == n] for n in
                   ("early", "near"))  # fmt: skip
    assert early == near
    scores = near
    assert (scores[0]["lead"], scores[0]["months"]) == ("", n)
    assert scores[0]["value_added"] == pytest.approx(0.75)
    assert scores[0]["value_low"] == pytest.approx(0.75)
    assert scores[0]["error"] == pytest.approx(scores[0]["our_error"] / 4)
    assert sum(row["months"] for row in scores[1:]) == n
    panel = publication.snapshot.panel
    panel.loc[panel["destination"].eq("USA"), "tonnes"] = 0.0
    nothing = rival_scores(publication, planning)
    assert {row["error"] for row in nothing} == {None}, "no share of actual tonnes of 0"
    assert json_answer(nothing)
    publication.published.vintages.loc[:, "ingested_at"] = pd.NaT
    assert not rival_cells(publication, planning)["scored"].any(), "loaded at a moment not known"


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://testserver"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
        {"X-Nothing": "known"},
    ],
)
@pytest.mark.parametrize("path", ["/needs", "/needs/1/end", "/needs/1/restore", "/rival-forecasts"])
def test_a_form_from_elsewhere_is_refused_whoever_sends_it(
    untouched: TestClient, path: str, headers: dict[str, str]
) -> None:
    answer = form(untouched, path, NEED, headers)

    assert answer.status_code == 403
    assert "The request is from another site" in answer.text
    assert planned(untouched).needs.empty


@pytest.mark.parametrize("login", ["Bearer", "Basic"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_no_route_that_writes_takes_a_request_of_another_site(
    untouched: TestClient, login: str, headers: dict[str, str]
) -> None:
    token = untouched.headers["Authorization"].removeprefix("Bearer ")
    credentials = {"Bearer": token, "Basic": base64.b64encode(f"me:{token}".encode()).decode()}
    sent = headers | {"Authorization": f"{login} {credentials[login]}"}
    writing = [
        (method, route.path.replace("{number}", "1"))
        for route in untouched.app.routes
        if isinstance(route, APIRoute)
        and may_write in [part.call for part in route.dependant.dependencies]
        for method in route.methods
    ]

    statuses = {
        (method, path): untouched.request(
            method, path, headers=sent, **{"json" if path.startswith(API) else "data": NEED}
        ).status_code
        for method, path in writing
    }

    assert len(writing) >= 12
    assert set(statuses.values()) == {403}, statuses
    assert planned(untouched).needs.empty


def test_where_a_browser_sends_no_site_its_origin_counts(planner: TestClient) -> None:
    result = {**NEED, "tonnes": "600"}

    assert form(planner, "/needs", result, {"Origin": "http://testserver"}).status_code == 303
    assert planner.get("/needs").headers["referrer-policy"] == "same-origin"
    assert planner.get("/destinations/USA").headers["referrer-policy"] == "same-origin"


@pytest.mark.slow
def test_hostile_words_of_planners_are_shown_and_never_run(engine: Engine) -> None:
    token = create_token(engine, name=ATTACK, scopes=["write"], at=NEWEST)
    with TestClient(make_app(engine, HOOKED)) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        posted(client, "needs", {**NEED, "name": ATTACK})
        posted(client, "alert-rules", {**RULE, "name": ATTACK})
        posted(client, "rival-forecasts", [{**RIVAL, "name": ATTACK}])
        pages = [client.get(p).text for p in ("/needs", "/audit", "/destinations/USA")]
        tables = [
            client.get(f"{API}/{p}?format=csv").text for p in ("needs", "audit", "rival-forecasts")
        ]

    for text in pages:
        assert re.findall("<script(?! defer src=./static/)", text) == []
        assert "&lt;script&gt;alert(1)" in text
    for text in tables:
        for row in csv.reader(io.StringIO(text)):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@"))]


def test_a_stock_outlook_is_computed_and_nothing_is_stored(untouched: TestClient) -> None:
    asked = f"{API}/stock-outlook?destination=DEU&tonnes=12&stock=24&lead_days=45"

    answer = untouched.get(asked).json()

    assert answer["is_small"]
    assert answer["lead_t"] == 17.7
    assert answer["lead_t"] <= answer["stock_90_t"] <= answer["stock_95_t"]
    assert answer["weeks_of_cover"] == 8.7
    days = [date.fromisoformat(answer[name]) for name in ("order_by", "reach_on")]
    assert (days[1] - days[0]).days == 45 + 45, "to clearance, and to a German port at most"
    flown = untouched.get(f"{asked}&transit_days=4").json()
    assert (date.fromisoformat(flown["order_by"]) - days[0]).days == 45 - 4
    free = untouched.get(f"{asked}&controlled=false").json()
    assert (free["next_date"], free["stock_90_t"]) == (None, max(17.7, free["stock_90_t"]))
    weeks = untouched.get(f"{API}/stock-outlook?destination=DEU&tonnes=12&stock_weeks=8.6667")
    assert weeks.json()["stock_t"] == pytest.approx(24.0, abs=1e-3)
    chances = [month["chance_out"] for month in answer["months"]]
    assert chances == sorted(chances)
    assert chances[0] == 0.05
    assert untouched.get(f"{asked}&by_month=2027").status_code == 400
    month = answer["months"][0]["period"]
    idle = untouched.get(f"{asked}&by_month={month} 0").json()
    assert idle["reach_on"] > answer["reach_on"]
    assert idle["weeks_of_cover"] > answer["weeks_of_cover"]
    assert planned(untouched).needs.empty


def test_a_need_draws_on_its_stock_from_its_first_month(planner: TestClient) -> None:
    now, later = (
        posted(planner, "needs", {**PLANT, "name": first, "period_from": first})
        for first in ("2026-11", "2027-06")
    )

    assert (later["reach_on"], later["order_by"]) == ("2027-07-16", "2027-05-07")
    assert (later["transit_days"], later["days_late"]) == (10, 0)
    late = date.fromisoformat(now["arrives_on"]) - date.fromisoformat(now["reach_on"])
    assert 0 < now["days_late"] == late.days


@pytest.mark.parametrize(
    ("code", "order", "late"),
    [
        ("en", "Order by 7 May 2027: 60 days to clearance and up to 10 in transit.",
         ("An order today is 25 days too late: without magnets from 9 Jan 2027 to 3 Feb 2027, "
         "unless goods ordered earlier arrive.")),
        ("de", ("Bestellen Sie bis 7. Mai 2027: 60 Tage bis zur Abfertigung und bis zu 10 Tage "
         "Transport."),
         ("Eine Bestellung von heute kommt 25 Tage zu spät: ohne Magnete von 9. Jan. 2027 bis "
         "3. Feb. 2027, sofern nicht früher bestellte Ware eintrifft.")),
    ],
)  # fmt: skip
def test_a_page_of_needs_says_when_to_order_or_how_late_it_is(
    planner: TestClient, code: str, order: str, late: str
) -> None:
    posted(planner, "needs", {**PLANT, "period_from": "2027-06"})
    posted(planner, "needs", {**PLANT, "period_from": "2026-11"})

    shown = planner.get(f"/needs?lang={code}").text

    assert order in shown
    assert late in shown


def test_what_comes_out_after_a_need_began_leaves_its_normal_month(untouched: TestClient) -> None:
    publication = untouched.app.state.shared.live.publication
    months = fan_of(publication, "DEU").history
    begin = months["available_at"].sort_values().iloc[-1] - pd.Timedelta(days=1)
    known = months.loc[months["available_at"].le(begin), "period"].max()
    expected = months.loc[months["period"].le(known), "tonnes"].tail(36).median()

    assert known < months["period"].max()
    assert normal_month(publication, "DEU", begin) == pytest.approx(expected)
    assert normal_month(publication, "DEU") == pytest.approx(months["tonnes"].tail(36).median())


def test_a_stock_is_counted_today_however_old_the_forecast_is(
    untouched: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = f"{API}/stock-outlook?destination=DEU&tonnes=12&stock=24&lead_days=45"
    at_once, live = untouched.get(asked).json(), untouched.app.state.shared.live

    monkeypatch.setattr(live, "clock", lambda: NOW + pd.Timedelta(days=42))
    later = untouched.get(asked).json()

    reached = [date.fromisoformat(answer["reach_on"]) for answer in (at_once, later)]
    assert (reached[1] - reached[0]).days == 42
    assert (at_once["months"][0]["period"], later["months"][0]["period"]) == ("2026-11", "2027-01")
    monkeypatch.setattr(live, "clock", lambda: NOW + pd.Timedelta(days=900))
    assert "Expected months ahead" in untouched.get(asked).text


def test_an_order_before_an_act_is_late_from_the_day_after(
    planner: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = planner.app.state.shared.live
    due = {"due": "2027-01-11", "is_return": True, "chances": (1.0,), "destinations": ("DEU",)}
    act = Announced("2025-10-cn-no57-five-ree", **due)
    save_explanation(live.engine, 2, StoredExplanation(announced=(act,)))
    live.refresh()
    asked = f"{API}/stock-outlook?destination=DEU&tonnes=12&stock=24&lead_days=45"

    in_time = planner.get(asked).json()
    monkeypatch.setattr(live, "clock", lambda: NOW + pd.Timedelta(days=2))
    late = planner.get(asked).json()

    assert in_time["order_before_act"] == late["order_before_act"] == "2026-11-26"
    assert (in_time["is_late"], late["is_late"]) == (False, True)


@pytest.mark.slow
def test_a_need_and_the_stock_box_give_the_same_plant_the_same_chances(planner: TestClient) -> None:
    months = [row["period"] for row in planner.get(f"{API}/forecasts/DEU").json()["months"]]
    need = {**NEED, "destination": "DEU", "tonnes": 12.0, "stock": 24.0, "lead_days": 45,
            "period_from": "2026-12", "period_to": months[-1]}  # fmt: skip
    made = posted(planner, "needs", need)

    box = planner.get(f"{API}/stock-outlook?destination=DEU&tonnes=12&stock=24&lead_days=45").json()
    page = planner.get("/destinations/DEU").text
    last = {month["period"]: month for month in box["months"]}[months[-1]]["chance_out"]

    assert made["chance_any_month"] == pytest.approx(box["chance_short"], abs=0.03)
    assert made["chance_out"] == pytest.approx(last, abs=0.05)
    assert made["buffer_90_t"] >= box["lead_t"]
    assert "24\u00a0t of stock reach until" in page
    assert "if nothing arrives" in page


@pytest.mark.slow
def test_error_autocorrelation_comes_from_the_published_backtest(
    engine: Engine, planner: TestClient
) -> None:
    usual = posted(planner, "needs", NEED)
    row = {"model": "m", "scope": "ALL", "horizon_from": 1,
           "horizon_to": 6, "metric": ERROR_AUTOCORRELATION, "value": 0.0, "cells": 99}  # fmt: skip
    write_scores(engine, pd.DataFrame([row]), as_of=NEWEST)
    planner.app.state.shared.live.refresh()
    answer = planner.get(f"{API}/needs/1").json()

    assert (usual["carry_over"], answer["carry_over"]) == (USUAL_CARRY, 0.0)
    assert answer["buffer_95_t"] < usual["buffer_95_t"]


def test_exports_have_forecasts_by_others_in_a_column_of_their_own(planner: TestClient) -> None:
    formula = "=cmd|' /C calc'!A0"
    posted(planner, "rival-forecasts", [{**RIVAL, "name": formula}])

    table = csv.DictReader(io.StringIO(planner.get(f"{API}/forecasts/USA?format=csv").text))
    december = next(row for row in table if row["period"] == "2026-12")
    workbook = planner.get("/destinations/USA/forecast.xlsx").content
    book = CalamineWorkbook.from_filelike(io.BytesIO(workbook))
    head, *lines = book.get_sheet_by_name("Forecast").to_python()
    line = dict(zip(head, next(one for one in lines if date(2026, 12, 1) in one), strict=True))

    assert december["rivals"] == f"'{formula} 450.5 (2026-11-24)"
    assert next(table)["rivals"] == ""
    assert line["rivals"] == f"{formula} 450.5 (2026-11-24)"


@pytest.mark.slow
def test_forms_write_and_lead_to_what_was_written(planner: TestClient, token: str) -> None:
    del planner.headers["Authorization"]
    planner.auth = ("any", token)
    typed = {**RIVAL, "by_month": "2026-12 450.5\n2027-01\t1,000"}
    sent = [
        ("/needs", {**NEED, "tonnes": "600"}, "/needs#need-1"),
        ("/alert-rules", {"name": "low", "watched": "shortfall:1", "points": "5"}, "/needs#rules"),
        ("/rival-forecasts", typed, "/destinations/USA#months-head"),
        ("/needs/1/end", {}, "/needs?ended=1#needs-head"),
        ("/needs/1/restore", {}, "/needs#need-1"),
    ]

    answers = [form(planner, path, fields) for path, fields, _ in sent]

    places = [(answer.status_code, answer.headers["location"]) for answer in answers]
    assert places == [(303, place) for *_, place in sent]
    assert "Example Bank: 1,000" in planner.get("/destinations/USA").text
    assert [row["need_id"] for row in planner.get(f"{API}/alert-rules").json()["items"]] == [1]
    assert planner.post(f"{API}/needs/1/restore").status_code == 404


def test_a_page_of_needs_follows_each_write(planner: TestClient) -> None:
    live = planner.app.state.shared.live

    def shown() -> list[bool]:
        paths = ("/needs", "/needs?destination=USA")
        return ["Motor plant" in planner.get(path).text for path in paths]

    before = shown()
    posted(planner, "needs", NEED)
    stated = shown()
    end_need(live.engine, 1, actor=Actor("another process"), at=live.clock())
    live.refresh()

    assert [before, stated, shown()] == [[False] * 2, [True] * 2, [False] * 2]


@pytest.mark.parametrize(
    ("path", "sent", "message"),
    [
        ("/needs", {**NEED, "tonnes": "\uff16\u0660\u0660"}, "is not a plain number"),
        ("/needs", {**NEED, "period_from": "2\u0660\u0662\u0666-12"}, "is not a month"),
        ("/needs", {"name": "x"}, "The form has no field &#39;destination&#39;"),
        ("/alert-rules", {"name": "a", "watched": "noise", "points": "5"}, "&#39;noise&#39;"),
    ],
)
def test_a_form_that_makes_no_sense_is_shown_again_as_it_was_typed(
    untouched: TestClient, path: str, sent: dict, message: str
) -> None:
    answer = form(untouched, path, sent)

    assert answer.status_code == 400
    assert answer.headers["referrer-policy"] == "same-origin"
    _, _, after = answer.text.partition('role="alert">')
    complaint, _, rest = after.partition(f'action="{path}"')
    assert message in complaint
    shown = rest.partition("</form>")[0]
    for name, value in sent.items():
        if name not in {"destination", "watched"}:
            assert re.search(f'name="{name}"[^>]* value="{re.escape(str(value))}"', shown)
