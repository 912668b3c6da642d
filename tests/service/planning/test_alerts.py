"""Alert rules over real publications, delivered to a receiver on the loopback."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest
from pydantic import SecretStr
from service.live.live_publication import PlanningState
from sqlalchemy import Engine
from standardwebhooks import Webhook
from starlette.testclient import TestClient
from store.planning.audit import Actor
from store.planning.planning_rows import AlertRule, NeedRow, add_need, add_rule, read_planning
from tests.publication.planning.conftest import KEY, LATER

from flows.alert_delivery import alert, alert_if_possible
from flows.context.stores import store_of
from publication.language.choice import in_language
from publication.planning.alerts import alerts_in_words
from store.publications.publication_writing import PublicationContext, hold_forecasts
from store.settings import Settings
from tests.service.builders import make_forecasts
from tests.service.stores import NEWEST, make_app, publish

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
WHO = Actor("ann")


@dataclass
class Receiver:
    """A receiver that answers with the statuses it is given, the last one for good."""

    statuses: list[int] = field(default_factory=lambda: [204])
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=b"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    result = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            result.taken.append(({k.lower(): v for k, v in self.headers.items()}, body))
            status = result.statuses.pop(0) if len(result.statuses) > 1 else result.statuses[0]
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"http://127.0.0.1:{result.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    result.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield result
    server.shutdown()
    thread.join()
    server.server_close()


def median_rule(engine: Engine, *, points: float = 50.0) -> int:
    rule = AlertRule("doubled", "median", points, destination="USA")
    return add_rule(engine, rule, actor=WHO, at=NOW, since=NEWEST)


@pytest.fixture
def hooked(doubled: Settings, receiver: Receiver) -> Settings:
    """Settings whose alerts go to the receiver, signed."""
    return doubled.model_copy(
        update={"alert_hooks": SecretStr(receiver.url), "alert_key": SecretStr(KEY)}
    )


@pytest.mark.slow
def test_a_rule_speaks_of_the_next_publication_once(settings: Settings) -> None:
    engine = store_of(settings)
    median_rule(engine)

    before = alert(settings, NOW)
    publish(engine, LATER, cutoff="2026-07", factor=2.0)
    first, again = alert(settings, NOW), alert(settings, NOW)

    assert (before.looked, first.looked, first.fired, again.looked) == (0, 1, 1, 0)
    (row,) = read_planning(engine).alerts.to_dict("records")
    assert (row["as_of"], row["against"]) == (pd.Timestamp(LATER), pd.Timestamp(NEWEST))
    assert row["after"] == pytest.approx(2 * row["before"])
    assert row["period"] == pd.Timestamp("2026-11-01")
    assert "United States: median in November 2026 went from" in row["message"]
    assert "(+100.0%; threshold 50)" in row["message"]


@pytest.mark.slow
def test_a_destination_no_longer_forecast_stops_no_other_need_and_rule(settings: Settings) -> None:
    engine = store_of(settings)
    months = pd.Timestamp("2026-11-01"), pd.Timestamp("2027-01-01")
    need = add_need(engine, NeedRow("plant", "VNM", *months, 9.0), actor=WHO, at=NOW)
    for rule in (
        AlertRule("chance", "shortfall", 50.0, need_id=need),
        AlertRule("year", "below_last_year", 50.0, destination="VNM"),
        AlertRule("level", "median", 50.0, destination="VNM"),
    ):
        add_rule(engine, rule, actor=WHO, at=NOW, since=NEWEST)
    median_rule(engine)
    publish(engine, LATER, cutoff="2026-07", factor=2.0, without="VNM")

    found = alert(settings, NOW)

    assert (found.looked, found.fired) == (4, 1)
    with TestClient(make_app(engine)) as client:
        (shown,) = client.get("/api/v1/needs").json()["items"]
        assert client.get("/needs").status_code == 200
    assert (shown["months"], shown["met_in_full_at_t"] > 9.0) == ([], True)


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "fires"), [(2.0, True), (1.999, False)])
def test_a_move_of_exactly_so_much_is_reported_and_less_is_not(
    settings: Settings, factor: float, *, fires: bool
) -> None:
    engine = store_of(settings)
    median_rule(engine, points=100.0)
    publish(engine, LATER, cutoff="2026-07", factor=factor)

    alert(settings, NOW)

    assert list(read_planning(engine).alerts["fired"]) == [fires]


@pytest.mark.slow
def test_a_need_and_a_year_before_are_watched(settings: Settings) -> None:
    engine = store_of(settings)
    months = (pd.Timestamp("2026-12-01"), pd.Timestamp("2027-03-01"))
    medians = publish_medians(engine)
    number = add_need(engine, NeedRow("plant", "USA", *months, medians), actor=WHO, at=NOW)
    for rule in (
        AlertRule("short", "shortfall", 10.0, need_id=number),
        AlertRule("less", "below_last_year", 10.0, destination="USA"),
        AlertRule("calm", "median", 5.0, destination="DEU"),
    ):
        add_rule(engine, rule, actor=WHO, at=NOW, since=NEWEST)
    publish(engine, LATER, cutoff="2026-07", factor=0.6)

    result = alert(settings, NOW)

    rows = read_planning(engine).alerts.sort_values("rule_id")
    assert (result.looked, result.fired) == (3, 3)
    short = rows.iloc[0]
    assert short["after"] - short["before"] >= 0.1
    assert months[0] <= short["period"] <= months[1]
    # The alert and the page speak of one number: that the stock does not last to the month's end.
    with TestClient(make_app(engine)) as client:
        (shown,) = client.get("/api/v1/needs").json()["items"]
    chances = {month["period"]: month["chance_out"] for month in shown["months"]}
    assert short["after"] == chances[f"{short['period']:%Y-%m}"]
    assert chances["2027-03"] == shown["chance_out"] == shown["chance_any_month"]
    planning = PlanningState(read_planning(engine))
    with in_language("ja"):
        found = [row["message"] for row in alerts_in_words(planning, {})]
    assert [row["message"] for row in alerts_in_words(planning, {})] == list(rows["message"])
    assert set(re.findall("[A-Za-z]+", "".join(found))) == {"plant"}


def publish_medians(engine: Engine) -> float:
    """Return the median of the USA in the first published month of the need."""
    from store.facts.reading import latest_forecast  # noqa: PLC0415

    rows = latest_forecast(engine).query("destination == 'USA' and period == '2026-12'")
    return float(rows["p50"].iloc[0])


def test_a_rule_made_after_a_publication_leaves_it_alone(doubled: Settings) -> None:
    engine = store_of(doubled)
    rule = AlertRule("late", "median", 1.0, destination="USA")
    add_rule(engine, rule, actor=WHO, at=NOW, since=LATER)

    assert alert(doubled, NOW).looked == 0


@pytest.mark.slow
def test_a_webhook_gets_a_signed_message_until_it_takes_it(
    hooked: Settings, receiver: Receiver
) -> None:
    engine = store_of(hooked)
    receiver.statuses = [500, 204]
    number = median_rule(engine)

    sent = [alert(hooked, NOW) for _ in range(3)]

    assert [(one.delivered, one.failed) for one in sent] == [(0, 1), (1, 0), (0, 0)]
    (first, _), (headers, body) = receiver.taken
    content = json.loads(body)
    assert (content["rule"]["id"], content["as_of"]) == (number, "2026-11-25T00:00:00Z")
    assert content["id"] == first["webhook-id"] == headers["webhook-id"]
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    mark = Webhook(KEY).sign(headers["webhook-id"], NOW.to_pydatetime(), body.decode())
    assert headers["webhook-signature"] == mark
    (row,) = read_planning(engine).alerts.to_dict("records")
    assert (row["attempts"], row["trouble"], row["delivered_at"]) == (2, "", NOW)


@pytest.mark.slow
def test_what_nobody_took_is_sent_again_later_but_not_for_ever(
    hooked: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.alert_delivery.MOST_TRIES", 3)
    receiver.statuses = [302, 500]
    median_rule(store_of(hooked))

    for _ in range(5):
        alert(hooked, NOW)

    (row,) = read_planning(store_of(hooked)).alerts.to_dict("records")
    assert row["trouble"] == "HTTP 500 from 127.0.0.1"
    assert pd.isna(row["delivered_at"])
    assert len(receiver.taken) == 3


def test_a_hook_that_is_not_there_is_noted_without_its_path(hooked: Settings) -> None:
    nowhere = hooked.model_copy(update={"alert_hooks": SecretStr("http://127.0.0.1:1/key")})
    median_rule(store_of(hooked))

    alert(nowhere, NOW)

    assert list(read_planning(store_of(hooked)).alerts["trouble"]) == ["ConnectError at 127.0.0.1"]


def test_no_trouble_with_alerts_fails_a_publication(
    doubled: Settings, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    median_rule(store_of(doubled))
    keys = {"alert_hooks": SecretStr(receiver.url), "alert_key": SecretStr("whsec_")}

    alert_if_possible(doubled.model_copy(update=keys), NOW)

    assert "alerts    not sent (" in capsys.readouterr().err


def test_pages_name_what_is_held_and_the_feed_has_alerts_in_the_language_asked_for(
    doubled: Settings,
) -> None:
    engine = store_of(doubled)
    median_rule(engine)
    alert(doubled, NOW)
    held = {"as_of": LATER, "data_vintage": "beef", "because": "WLD +60%"}
    frozen = PublicationContext(at=LATER)
    hold_forecasts(engine, make_forecasts(cutoff="2026-07"), context=frozen, **held)

    with TestClient(make_app(engine)) as client:
        page = client.get("/policy").text
        english, german = (client.get(f"/alerts.atom?lang={code}") for code in ("en", "de"))

    assert "WLD +60%" in page
    assert read_planning(engine).alerts["message"].iloc[0] in english.text
    assert german.headers["Content-Language"] == "de"
    assert "Vereinigte Staaten" in german.text
