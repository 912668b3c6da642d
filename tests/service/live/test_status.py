import asyncio
import threading
from pathlib import Path

import pandas as pd
from starlette.concurrency import run_in_threadpool
from starlette.testclient import TestClient

from models.monitoring import HealthReport
from service.live.health import KEPT_FOR, HealthCache
from store.database import open_store
from tests.service.stores import NOW, condition_at, make_app, plain


def words(text: str) -> str:
    return " ".join(plain(text).split())


def test_the_page_tells_what_is_wrong_and_what_to_do_about_it(client: TestClient) -> None:
    page = words(client.get("/status").text)

    assert "Something needs attention." in page
    assert '<h3 id="late-data">late-data</h3> <p>The figures are late.</p>' in page
    assert "docs/operations.md#late-data" in page
    assert "<li>Champion: version 1, magnetcast-7.</li>" in page
    assert 'href="/destinations/USA"' in page


def test_programs_are_reported_the_same(client: TestClient) -> None:
    answer = client.get("/api/v1/status").json()

    assert answer["code"] == 1
    assert answer["lines"] == [
        "The last run began 2026-11-24 00:00 UTC: finished.",
        "Champion: version 1, magnetcast-7.",
    ]
    assert answer["alarms"] == [
        {
            "alarm": "late-data",
            "broken": False,
            "words": "The figures are late.",
        }
    ]


def test_it_is_reported_where_nothing_was_ever_published(tmp_path: Path) -> None:
    empty = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    with TestClient(make_app(empty)) as client:
        first = client.get("/?lang=de")
        page = client.get("/status")

    empty.dispose()
    assert (first.status_code, page.status_code) == (503, 200)
    assert "<h1>Noch keine Prognose</h1>" in first.text
    assert "<code>magnetcast run</code> erstellt und veröffentlicht sie" in first.text
    assert 'href="/status?lang=de">Systemstatus</a> zeigt, was fehlt' in first.text
    assert "Something needs attention." in page.text


def test_it_is_looked_at_once_a_minute_and_again_where_the_clock_was_set_back() -> None:
    moments: list[pd.Timestamp] = []
    now = NOW

    def look(moment: pd.Timestamp) -> HealthReport:
        moments.append(moment)
        return condition_at(moment)

    async def ask() -> None:
        nonlocal now
        conditions = HealthCache(look, lambda: now)
        first = await conditions.newest()
        now = NOW + KEPT_FOR / 2
        assert await conditions.newest() is first
        now = NOW + KEPT_FOR
        await conditions.newest()
        now = NOW
        await conditions.newest()

    asyncio.run(ask())

    assert moments == [NOW, NOW + KEPT_FOR, NOW]


def test_many_who_wait_for_a_look_leave_threads_for_others() -> None:
    over = threading.Event()

    def look(moment: pd.Timestamp) -> HealthReport:
        assert over.wait(300)
        return condition_at(moment)

    async def ask() -> list[HealthReport]:
        conditions = HealthCache(look, lambda: NOW)
        waiting = [asyncio.create_task(conditions.newest()) for _ in range(200)]
        await asyncio.sleep(0)
        await run_in_threadpool(over.set)
        return list(await asyncio.gather(*waiting))

    assert len({id(found) for found in asyncio.run(ask())}) == 1
