import asyncio
import re
import threading
from pathlib import Path

import pandas as pd
import pytest
from service.live.health import CACHED_FOR, HealthCache
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.testclient import TestClient

from models.monitoring import HealthReport
from store.database import open_store
from store.publications.publication_rows import COVERAGE_DRIFT, save_reading
from tests.service.stores import NEWEST, NOW, condition_at, make_app, plain


def test_it_is_reported_where_nothing_was_ever_published(tmp_path: Path) -> None:
    empty = open_store(f"sqlite:///{tmp_path / 'empty.db'}")
    with TestClient(make_app(empty)) as client:
        codes = [client.get(path).status_code for path in ("/", "/status")]

    empty.dispose()
    assert codes == [503, 200]


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
        now = NOW + CACHED_FOR / 2
        assert await conditions.newest() is first
        now = NOW + CACHED_FOR
        await conditions.newest()
        now = NOW
        await conditions.newest()

    asyncio.run(ask())

    assert moments == [NOW, NOW + CACHED_FOR, NOW]


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


def test_the_page_and_the_api_report_the_same(client: TestClient) -> None:
    page = " ".join(plain(client.get("/status").text).split())
    answer = client.get("/api/v1/status").json()

    assert (answer["code"], [one["alarm"] for one in answer["alarms"]]) == (1, ["late-data"])
    for words in (*answer["lines"], *(alarm["words"] for alarm in answer["alarms"])):
        days = re.sub(r"\d{4}-\d\d-\d\d", lambda day: f"{pd.Timestamp(day[0]):%-d %b %Y}", words)
        assert re.sub(r"\d{4}-\d\d\b", lambda day: f"{pd.Timestamp(day[0]):%b %Y}", days) in page


METRICS = "/api/v1/metrics"


@pytest.mark.slow
def test_the_newest_reading_of_coverage_is_reported_and_no_other(engine: Engine) -> None:
    older, newer = NOW - pd.Timedelta(days=1), NOW - pd.Timedelta(hours=1)
    row = {"value": 0.7, "bound": None, "size": 12, "words": "covered"}
    for monitor, fired, at in (
        (COVERAGE_DRIFT, False, older), (COVERAGE_DRIFT, True, newer), ("score-drift", True, newer),
    ):  # fmt: skip
        save_reading(engine, {**row, "monitor": monitor, "fired": fired}, at=at, as_of=NEWEST)

    with TestClient(make_app(engine)) as client:
        output = client.get(METRICS).text.splitlines()

    alarms = [line for line in output if line.startswith("magnetcast_alarm{")]
    assert alarms == ['magnetcast_alarm{alarm="coverage-drift"} 1.0']
    assert "magnetcast_measured_age_seconds 3600.0" in output
