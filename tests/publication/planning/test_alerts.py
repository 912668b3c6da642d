import json
import socket
from collections.abc import Iterator

import pandas as pd
import pytest
import yaml
from pydantic import SecretStr

from flows.context.notices import Receivers
from flows.context.stores import store_of
from flows.publishing.planning_alerts import alert, alert_if_possible
from publication.planning.needs import need_documents
from publication.planning.planning_file import FILE, Planning, read_planning_file
from store.errors import DataError
from store.facts.reading import latest_forecast
from store.planning import read_alerts
from store.schema.database_tables import alerts
from store.settings import Settings
from tests.helpers import Receiver, receiving
from tests.publication.planning.conftest import LATER
from tests.publication.stores import NEWEST, publications_of, publish

NOW = pd.Timestamp("2026-11-25T12:00", tz="UTC")
MEDIAN = {"name": "doubled", "measure": "median", "points": 50, "destination": "USA"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


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
    """Settings whose alerts go to the receiver."""
    plan(doubled)
    return doubled.model_copy(update={"alert_urls": SecretStr(receiver.address)})


def test_a_rule_reports_once_on_each_publication(doubled: Settings) -> None:
    assert alert(doubled, NOW).checked == 0, "there is no planning yet"
    plan(doubled)

    first, again = alert(doubled, NOW), alert(doubled, NOW)

    assert (first.checked, first.fired, again.checked) == (1, 1, 0)
    (row,) = read_alerts(store_of(doubled)).to_dict("records")
    assert (row["as_of"], row["against"]) == (pd.Timestamp(LATER), pd.Timestamp(NEWEST))
    assert row["after"] == pytest.approx(2 * row["before"])
    assert row["period"] == pd.Timestamp("2026-11-01")
    assert "United States: median in November 2026 went from" in row["message"]
    assert "(+100.0%; threshold 50)" in row["message"]


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


@pytest.mark.slow
def test_a_need_and_a_year_before_are_watched(settings: Settings) -> None:
    engine = store_of(settings)
    december = latest_forecast(engine).query("destination == 'USA' and period == '2026-12'")
    need = {"name": "plant", "destination": "USA", "period_from": "2026-12",
            "period_to": "2027-03", "tonnes": float(december["p50"].iloc[0])}  # fmt: skip
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


def test_a_webhook_is_told_until_it_takes_the_message_and_then_no_more(
    hooked: Settings, receiver: Receiver
) -> None:
    receiver.statuses = [500, 204]

    sent = [alert(hooked, NOW) for _ in range(3)]

    assert [(one.delivered, one.failed) for one in sent] == [(0, 1), (1, 0), (0, 0)]
    contents = [json.loads(body) for _, body in receiver.taken]
    (row,) = read_alerts(store_of(hooked)).to_dict("records")
    assert [content["title"] for content in contents] == 2 * ["magnetcast: doubled"]
    assert [content["message"] for content in contents] == 2 * [row["message"]]
    assert (row["attempts"], row["trouble"], row["delivered_at"]) == (2, "", NOW)


def test_what_nobody_took_is_sent_again_later_but_not_for_ever(
    hooked: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.publishing.planning_alerts.MOST_TRIES", 2)
    receiver.statuses = [302, 500]

    for _ in range(3):
        alert(hooked, NOW)

    (row,) = read_alerts(store_of(hooked)).to_dict("records")
    assert row["trouble"] == "receiver 1 (JSON) did not take it"
    assert pd.isna(row["delivered_at"])
    assert len(receiver.taken) == 2  # no redirect was followed


def test_one_that_hangs_and_one_that_is_gone_keep_no_other_from_its_message(
    doubled: Settings,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("flows.context.notices.TIMEOUT_S", 1.0)
    plan(doubled, alert_rules=[MEDIAN, {**MEDIAN, "name": "again"}])
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes calls and never answers
        hangs = f"json://127.0.0.1:{silent.getsockname()[1]}/s3cr3t"
        addresses = f"{hangs} json://127.0.0.1:1/s3cr3t {receiver.address}"
        settings = doubled.model_copy(update={"alert_urls": SecretStr(addresses)})

        assert alert(settings, NOW).delivered == 2
        assert alert(settings, NOW).delivered == 0

        silent.settimeout(0)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # after it hung once it is left out
            silent.accept()
    assert len(receiver.taken) == 2
    (first, second) = sorted(read_alerts(store_of(doubled))["trouble"], key=len)
    assert first == "receiver 2 (JSON) did not take it"
    assert second == f"receiver 1 (JSON) did not answer; {first}"
    captured = capsys.readouterr()
    assert "s3cr3t" not in captured.out + captured.err


def test_a_message_that_was_cut_off_is_not_sent_again(
    hooked: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = Receivers.deliver

    def killed(receivers: Receivers, title: str, text: str) -> None:
        deliver(receivers, title, text)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Receivers, "deliver", killed)
        with pytest.raises(KeyboardInterrupt):
            alert(hooked, NOW)

    (row,) = read_alerts(store_of(hooked)).to_dict("records")
    assert (row["attempts"], row["trouble"]) == (1, "it was cut off")
    assert alert(hooked, NOW).delivered == 0
    assert len(receiver.taken) == 1


def test_an_address_that_is_none_is_refused_and_not_shown(doubled: Settings) -> None:
    plan(doubled)
    addresses = SecretStr("json://127.0.0.1/a https://chat.example.org/s3cr3t")
    settings = doubled.model_copy(update={"alert_urls": addresses})

    with pytest.raises(DataError, match="ALERT_URLS: Apprise does not know address 2 of 2") as err:
        alert(settings, NOW)

    assert "s3cr3t" not in str(err.value)


def test_no_trouble_with_alerts_fails_a_publication(
    doubled: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (doubled.home / FILE).write_text("needs: 5\n")

    alert_if_possible(doubled, NOW)

    assert "alerts    not sent (DataError: " in capsys.readouterr().err
