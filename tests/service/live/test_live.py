import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from service.api.forecast_routes import document_of
from sqlalchemy import Engine, text
from starlette.testclient import TestClient

from publication.queries.freshness import ages_of
from store.database import open_store, writing
from store.publications.panels import NO_PANEL
from store.publications.publication_rows import read_mark
from tests.service.serve_process import ENDING_S
from tests.service.stores import NEWEST, fill_store, make_app, make_live, publish

LATER = datetime(2026, 11, 25, tzinfo=UTC)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what another thread does; what follows tells whether it did."""
    end = time.monotonic() + ENDING_S
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)


@pytest.mark.slow
def test_the_newest_publication_takes_the_place_of_the_one_before(engine: Engine) -> None:
    live = make_live(engine)
    live.refresh()
    before = live.publication

    publish(engine, LATER, cutoff="2026-07", factor=2.0)
    changed, again = live.refresh(), live.refresh()

    assert (changed, again) == (True, False)
    assert (before.as_of, live.publication.as_of) == (NEWEST, LATER)
    assert before.latest["p50"].to_list() != live.publication.latest["p50"].to_list()


@pytest.mark.slow
def test_a_panel_is_read_once_and_outlives_figures_that_come_in_later(engine: Engine) -> None:
    live = make_live(engine)
    live.refresh()
    before = live.publication.snapshot

    with writing(engine) as connection:
        connection.execute(text("DELETE FROM observations WHERE destination = 'USA'"))
        connection.execute(text("DELETE FROM panels"))
    publish(engine, LATER, cutoff="2026-07", panel=NO_PANEL)
    live.refresh()

    kept = live.publication.snapshots[pd.Timestamp(NEWEST)]
    pd.testing.assert_frame_equal(kept.panel, before.panel)
    assert (before.cutoff, len(before.panel), len(live.publication.snapshot.panel)) == (
        "2026-07", 1524, 0,
    )  # fmt: skip


@pytest.mark.slow
def test_readers_see_one_publication_whole(engine: Engine) -> None:
    live, seen, done = make_live(engine), list[tuple[str, set[str]]](), threading.Event()
    live.refresh()

    def read() -> None:
        while not done.wait(0.001):
            publication = live.publication
            made = [document_of(publication, live.planning, publication.as_of, name)
                    for name in publication.destinations]  # fmt: skip
            moments = {one["as_of"] for one in made}
            seen.append((f"{publication.as_of:%Y-%m-%dT%H:%M:%SZ}", moments))

    reader = threading.Thread(target=read)
    reader.start()
    for hour in range(3):
        publish(engine, LATER.replace(hour=hour), cutoff="2026-07")
        live.refresh()
    done.set()
    reader.join()

    assert all(moments == {moment} for moment, moments in seen)
    assert len({moment for moment, _ in seen}) > 1


@pytest.mark.slow
def test_a_state_that_cannot_be_made_leaves_the_one_before(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(engine)
    with TestClient(app) as client:
        live = app.state.shared.live
        before = client.get("/api/v1/forecasts/USA").content
        with writing(engine) as connection:
            connection.execute(text("UPDATE forecasts SET drivers = '{broken' WHERE id > 180"))
            connection.execute(text("DELETE FROM backtests"))
        wait_until(lambda: bool(live.trouble))

        assert "could not be read" in live.trouble
        assert client.get("/api/v1/forecasts/USA").content == before
        assert client.get("/api/v1/ready").json()["trouble"] == live.trouble
    assert "the previous publication stays" in caplog.text


@pytest.mark.slow
def test_a_store_that_does_not_answer_is_reported_until_it_does(engine: Engine) -> None:
    with TestClient(make_app(engine)) as client:
        with writing(engine) as connection:
            connection.execute(text("ALTER TABLE tokens RENAME TO tokens_away"))
        wait_until(lambda: bool(client.get("/api/v1/ready").json()["trouble"]))
        away = client.get("/api/v1/ready").json()
        with writing(engine) as connection:
            connection.execute(text("ALTER TABLE tokens_away RENAME TO tokens"))
        wait_until(lambda: not client.get("/api/v1/ready").json()["trouble"])
        back = client.get("/api/v1/ready").json()

    assert away["trouble"] == "StoreError: the newest state could not be read"
    assert back == {**away, "trouble": ""}


@pytest.mark.slow
def test_nothing_published_is_reported_and_answers_once_there_is_a_forecast(tmp_path: Path) -> None:
    engine = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    with TestClient(make_app(engine)) as client:
        answers = [client.get(path) for path in ("/", "/api/v1/forecasts", "/api/v1/ready")]
        alive = client.get("/api/v1/health")

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert all(answer.headers["retry-after"] == "5" for answer in answers)
    assert "Run <code>magnetcast run</code>" in answers[0].text
    assert alive.status_code == 200
    engine.dispose()


def test_the_mark_changes_with_every_kind_of_news(store_url: str) -> None:
    engine = open_store(store_url)
    marks = [read_mark(engine)]
    publish(engine, NEWEST, cutoff="2026-07")
    marks.append(read_mark(engine))
    publish(engine, NEWEST, cutoff="2026-07")
    marks.append(read_mark(engine))
    engine.dispose()

    assert set(marks[0]) == {0}
    assert marks[1][0] == 180
    assert marks[2] == marks[1]


@pytest.mark.slow
def test_either_database_gives_the_same_answers(postgres_url: str, client: TestClient) -> None:
    fill_store(postgres_url)
    engine = open_store(postgres_url)
    live = make_live(engine)
    live.refresh()
    moment = live.publication.as_of
    there = document_of(live.publication, live.planning, moment, "USA")
    there |= ages_of(live.publication, moment, now=live.clock())
    engine.dispose()

    assert there == client.get("/api/v1/forecasts/USA").json()
    assert len(live.publication.published.observations) > 700
