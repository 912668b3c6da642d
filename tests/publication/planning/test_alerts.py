import json
import socketserver
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy

import pandas as pd
import pytest
import yaml
from pydantic import SecretStr
from sqlalchemy import Engine
from standardwebhooks import Webhook

from flows.alert_delivery import alert, alert_if_possible
from flows.context.stores import store_of
from publication.planning.needs import need_documents
from publication.planning.planning_file import FILE, Planning, read_planning_file
from store.facts.reading import latest_forecast
from store.planning import read_alerts
from store.schema.database_tables import alerts
from store.settings import Settings
from tests.helpers import Receiver, receiving, running
from tests.publication.planning.conftest import KEY, LATER
from tests.publication.stores import NEWEST, publications_of, publish

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
MEDIAN = {"name": "doubled", "measure": "median", "points": 50, "destination": "USA"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@dataclass
class MailServer:
    """A mail server that takes what it is sent."""

    port: int = 0
    taken: list[bytes] = field(default_factory=list)


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    result = MailServer()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    result.taken.append(b"".join(lines))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
                if verb == b"QUIT":
                    return

    with running(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as result.port:
        yield result


def plan(settings: Settings, **content: object) -> None:
    """Write the planning of a home; one rule of a median if none are given."""
    text = yaml.safe_dump({"alert_rules": [MEDIAN], **content})
    (settings.home / FILE).write_text(text, encoding="utf-8")


def findings_of(settings: Settings) -> pd.DataFrame:
    """Return every finding of a home, by rule, whether it raised an alert or not."""
    with store_of(settings).connect() as connection:
        return pd.read_sql(alerts.select().order_by(alerts.c.rule), connection)


@pytest.fixture
def hooked(doubled: Settings, receiver: Receiver) -> Settings:
    """Settings whose alerts go to the receiver, signed."""
    plan(doubled, webhooks=[receiver.url])
    return doubled.model_copy(update={"alert_key": SecretStr(KEY)})


def test_a_rule_reports_once_on_each_publication(doubled: Settings) -> None:
    plan(doubled)

    first, again = alert(doubled, NOW), alert(doubled, NOW)

    assert (first.checked, first.fired, again.checked) == (1, 1, 0)
    (row,) = read_alerts(store_of(doubled)).to_dict("records")
    assert (row["as_of"], row["against"]) == (pd.Timestamp(LATER), pd.Timestamp(NEWEST))
    assert row["after"] == pytest.approx(2 * row["before"])
    assert row["period"] == pd.Timestamp("2026-11-01")
    assert "United States: median in November 2026 went from" in row["message"]
    assert "(+100.0%; threshold 50)" in row["message"]


def test_without_a_planning_file_nothing_is_checked_or_sent(doubled: Settings) -> None:
    assert alert(doubled, NOW).checked == 0
    assert findings_of(doubled).empty


def test_a_destination_no_longer_forecast_stops_no_other_rule(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    need = {"name": "plant", "destination": "VNM", "period_from": "2026-11",
            "period_to": "2027-01", "tonnes": 9.0}  # fmt: skip
    rules = [
        {"name": "chance", "measure": "shortfall", "points": 50, "need": "plant"},
        {"name": "level", "measure": "median", "points": 50, "destination": "VNM"},
    ]
    plan(settings, needs=[need], alert_rules=[*rules, MEDIAN])
    publish(store_of(settings), LATER, cutoff="2026-07", factor=2.0, without="VNM")

    found = alert(settings, NOW)

    assert (found.checked, found.fired) == (1, 1)
    assert "level was not checked: no forecast of VNM is published" in capsys.readouterr().err


@pytest.mark.parametrize(("points", "fires"), [(100.0, True), (100.001, False)])
def test_a_move_of_exactly_so_much_is_reported_and_less_is_not(
    doubled: Settings, points: float, *, fires: bool
) -> None:
    plan(doubled, alert_rules=[{**MEDIAN, "points": points}])

    alert(doubled, NOW)

    assert list(findings_of(doubled)["fired"]) == [fires]


def median_of(engine: Engine) -> float:
    """Return the median of the USA in December 2026."""
    rows = latest_forecast(engine).query("destination == 'USA' and period == '2026-12'")
    return float(rows["p50"].iloc[0])


@pytest.mark.slow
def test_a_need_and_a_year_before_are_watched(settings: Settings) -> None:
    engine = store_of(settings)
    need = {"name": "plant", "destination": "USA", "period_from": "2026-12",
            "period_to": "2027-03", "tonnes": median_of(engine)}  # fmt: skip
    rules = [
        {"name": "calm", "measure": "median", "points": 5, "destination": "DEU"},
        {"name": "less", "measure": "below_last_year", "points": 10, "destination": "USA"},
        {"name": "short", "measure": "shortfall", "points": 10, "need": "plant"},
    ]
    plan(settings, needs=[need], alert_rules=rules)
    publish(engine, LATER, cutoff="2026-07", factor=0.6)

    result = alert(settings, NOW)

    rows = findings_of(settings)
    assert (result.checked, result.fired) == (3, 3)
    short = rows.iloc[2]
    assert short["after"] - short["before"] >= 0.1
    assert "2026-12" <= str(short["period"])[:7] <= "2027-03"
    # The alert and the page speak of one number: that the stock does not last to the month's end.
    planning = Planning(read_planning_file(settings.home))
    (shown,) = need_documents(publications_of(engine)[0], planning, NOW)
    chances = {month["period"]: month["chance_out"] for month in shown["months"]}
    assert short["after"] == chances[str(short["period"])[:7]]


def test_a_webhook_gets_a_signed_message_until_it_takes_it(
    hooked: Settings, receiver: Receiver
) -> None:
    receiver.statuses = [500, 204]

    sent = [alert(hooked, NOW) for _ in range(3)]

    assert [(one.delivered, one.failed) for one in sent] == [(0, 1), (1, 0), (0, 0)]
    (first, _), (headers, body) = receiver.taken
    content = json.loads(body)
    assert (content["rule"], content["as_of"]) == ("doubled", "2026-11-25T00:00:00Z")
    assert content["id"] == first["webhook-id"] == headers["webhook-id"]
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    mark = Webhook(KEY).sign(headers["webhook-id"], NOW.to_pydatetime(), body.decode())
    assert headers["webhook-signature"] == mark
    (row,) = read_alerts(store_of(hooked)).to_dict("records")
    assert (row["attempts"], row["trouble"], row["delivered_at"]) == (2, "", NOW)


def test_an_alert_is_mailed_to_all_recipients(doubled: Settings, mail_server: MailServer) -> None:
    plan(doubled, emails=["ann@example.org", "bob@example.org"])
    url = SecretStr(f"smtp://127.0.0.1:{mail_server.port}")
    settings = doubled.model_copy(update={"smtp_url": url, "mail_from": "m@example.org"})

    assert (alert(doubled, NOW).failed, alert(settings, NOW).delivered) == (1, 1)

    (content,) = mail_server.taken
    mail = message_from_bytes(content, policy=policy.default)
    assert (mail["To"], mail["From"]) == ("ann@example.org, bob@example.org", "m@example.org")
    assert mail["Subject"] == "magnetcast: doubled"
    (row,) = read_alerts(store_of(doubled)).to_dict("records")
    assert " ".join(mail.get_content().split()) == row["message"]
    assert (row["attempts"], row["trouble"]) == (2, "")


def test_what_nobody_took_is_sent_again_later_but_not_for_ever(
    hooked: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.alert_delivery.MOST_TRIES", 2)
    receiver.statuses = [302, 500]

    for _ in range(3):
        alert(hooked, NOW)

    (row,) = read_alerts(store_of(hooked)).to_dict("records")
    assert row["trouble"] == "HTTP 500 from 127.0.0.1"
    assert pd.isna(row["delivered_at"])
    assert len(receiver.taken) == 2


def test_a_hook_that_is_not_there_is_noted_without_its_path(doubled: Settings) -> None:
    plan(doubled, webhooks=["http://127.0.0.1:1/key"])

    alert(doubled, NOW)

    (row,) = read_alerts(store_of(doubled)).to_dict("records")
    assert row["trouble"] == "ConnectError at 127.0.0.1"


def test_no_trouble_with_alerts_fails_a_publication(
    doubled: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (doubled.home / FILE).write_text("needs: 5\n")

    alert_if_possible(doubled, NOW)

    assert "alerts    not sent (DataError: " in capsys.readouterr().err
