import asyncio
import subprocess
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
import yaml
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.server.schemas.schedules import CronSchedule

from flows.operations.prefect_events import TRAINING
from flows.operations.register_deployments import POOLS, register
from sources.bundled.release_calendar import ReleaseCalendar, ReleaseDates
from sources.providers.registry import LIVE
from store.settings import PROJECT_ROOT, Settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]

SHANGHAI = ZoneInfo("Asia/Shanghai")
FILE = PROJECT_ROOT / "prefect.yaml"
START = datetime(2026, 11, 25, tzinfo=UTC)

ONE_DAY = timedelta(days=1)

Got = TypeVar("Got")


def asked(question: Coroutine[Any, Any, Got]) -> Got:
    return asyncio.run(question)


async def read_all() -> list[DeploymentResponse]:
    async with get_client() as client:
        return list(await client.read_deployments())


async def read_limit() -> tuple[int, set[str]]:
    async with get_client() as client:
        limit = await client.read_global_concurrency_limit_by_name(TRAINING)
        pools = {pool.name: pool.type for pool in await client.read_work_pools()}
        return limit.limit, {name for name, kind in POOLS.items() if pools.get(name) == kind}


@pytest.fixture(scope="module")
def deployed(
    prefect_server: None,  # noqa: ARG001 - must be up
) -> dict[str, DeploymentResponse]:
    """All deployments of prefect.yaml, registered twice."""
    asked(register(Settings()))
    asked(register(Settings()))
    return {one.name: one for one in asked(read_all())}


async def next_dates(deployment: DeploymentResponse, slug: str | None = None) -> list[datetime]:
    (one,) = [it for it in deployment.schedules if it.slug == slug]
    found = await CronSchedule(**one.schedule.model_dump()).get_dates(n=12, start=START)
    return [moment.astimezone(SHANGHAI) for moment in found]


def test_prefect_takes_every_deployment_with_a_real_flow_and_a_pool(
    deployed: dict[str, DeploymentResponse],
) -> None:
    output = yaml.safe_load(FILE.read_text())["deployments"]

    assert set(deployed) == {one["name"] for one in output}
    for one in deployed.values():
        assert one.work_pool_name in POOLS
        assert one.entrypoint is not None
        path, _, name = one.entrypoint.partition(":")
        flow = getattr(import_module(path.removesuffix(".py").replace("/", ".")), name)
        assert isinstance(flow, Flow)
        flow.validate_parameters(one.parameters)
        assert {it.schedule.timezone for it in one.schedules} == {"Asia/Shanghai"}


def test_every_live_source_has_a_cadence(deployed: dict[str, DeploymentResponse]) -> None:
    ingests = {
        str(one.parameters["source"]) for one in deployed.values() if "source" in one.parameters
    }

    assert ingests == {*LIVE, "bundled"}


def test_the_monthly_run_follows_each_expected_release(
    deployed: dict[str, DeploymentResponse],
) -> None:
    loaded = ReleaseDates(PROJECT_ROOT / "data" / "release_dates.csv").load()
    calendar = ReleaseCalendar.from_frame(loaded.tables["release_calendar"])
    months = pd.date_range("2026-11-01", "2027-11-01", freq="MS")
    expected = sorted({calendar.released_on(month).date() for month in months})

    dates = asked(next_dates(deployed["monthly"], "release"))

    assert [moment.date() for moment in dates] == expected[: len(dates)]
    assert {(moment.hour, moment.minute) for moment in dates} == {(19, 30)}


async def first_after(deployment: DeploymentResponse, moment: datetime) -> datetime:
    found = [
        (await CronSchedule(**one.schedule.model_dump()).get_dates(n=1, start=moment))[0]
        for one in deployment.schedules
    ]
    return min(found)


def test_every_release_on_record_is_taken_up_by_the_next_morning(
    deployed: dict[str, DeploymentResponse],
) -> None:
    loaded = ReleaseDates(PROJECT_ROOT / "data" / "release_dates.csv").load()
    calendar = ReleaseCalendar.from_frame(loaded.tables["release_calendar"])
    days = sorted(set(calendar.recorded.values()))
    moments = [day.to_pydatetime().replace(tzinfo=SHANGHAI, hour=15) for day in days]

    runs = [asked(first_after(deployed["monthly"], moment)) for moment in moments]

    assert {day.day_of_week for day in days} >= {5, 6}
    assert [day for day, m, r in zip(days, moments, runs, strict=True) if r - m > ONE_DAY] == []


def test_the_rest_comes_daily_weekly_and_quarterly(
    deployed: dict[str, DeploymentResponse],
) -> None:
    daily, weekly, quarterly = (
        asked(next_dates(deployed[name])) for name in ("daily", "weekly", "quarterly")
    )

    assert {(later - one).days for one, later in pairwise(daily)} == {1}
    assert {(later - one).days for one, later in pairwise(weekly)} == {7}
    assert [moment.month for moment in quarterly[:4]] == [1, 4, 7, 10]


@pytest.mark.usefixtures("deployed")
def test_one_deployment_trains_at_a_time() -> None:
    limit, pools = asked(read_limit())

    assert limit == 1
    assert pools == set(POOLS)


def test_nothing_in_containers_is_switched_on_beside_its_process(
    deployed: dict[str, DeploymentResponse],
) -> None:
    in_containers = [one for one in deployed.values() if one.name.endswith("-docker")]

    assert len(in_containers) == 3
    assert not any(it.active for one in in_containers for it in one.schedules)


def test_a_worker_runs_a_deployment_in_a_process(
    deployed: dict[str, DeploymentResponse], child_environment: dict[str, str], tmp_path: Path
) -> None:
    async def ask() -> FlowRun:
        async with get_client() as client:
            return await client.create_flow_run_from_deployment(deployed["bundled"].id)

    async def ended(run: FlowRun) -> FlowRun:
        async with get_client() as client:
            return await client.read_flow_run(run.id)

    run = asked(ask())
    command = [sys.executable, "-m", "prefect", "worker", "start", "--run-once"]
    command += ["--pool", "magnetcast", "--type", "process"]
    variables = {**child_environment, "PYTHONPATH": str(PROJECT_ROOT)}
    with (tmp_path / "worker.log").open("wb") as log:
        subprocess.run(  # noqa: S603 - our own words
            command,
            cwd=PROJECT_ROOT,
            env=variables,
            stdout=log,
            stderr=log,
            check=True,
            timeout=900,
        )

    state = asked(ended(run)).state
    assert state.is_completed(), (tmp_path / "worker.log").read_text()
    assert (Path(variables["MAGNETCAST_HOME"]) / "magnetcast.db").exists()
