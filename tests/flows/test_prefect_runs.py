import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run

from flows.context.console import LOG, echo
from flows.context.prefect_runs import in_prefect, prefect_step
from flows.run import run
from tests.data.builders import at
from tests.flows.conftest import environment, settings_of
from tests.flows.publishing.test_run_table import NOW, TABLE, WORLD, fill

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]

Got = TypeVar("Got")
AS_OF = at("2026-11-25")


def asked(question: Coroutine[Any, Any, Got]) -> Got:
    return asyncio.run(question)


@prefect_step("weigh")
def weigh() -> float:
    return 3.0


def measure(about: str = "85051110") -> UUID:
    """Do a step within a flow."""

    def work() -> UUID:
        echo(f"measure   {weigh()} tonnes")
        LOG.info("figures   %s rows", 7)
        assert isinstance(flow_run.id, str)
        return UUID(flow_run.id)

    return in_prefect("measure", work, home=Path("unused"), as_of=AS_OF, about=about)


async def read_run(found: UUID) -> FlowRun:
    async with get_client() as client:
        return await client.read_flow_run(found)


async def read_states(found: UUID) -> list[tuple[str, str]]:
    async with get_client() as client:
        flow_runs = FlowRunFilter(id=FlowRunFilterId(any_=[found]))
        for _ in range(120):  # the server records them by events, some time after the run
            tasks = await client.read_task_runs(flow_run_filter=flow_runs)
            if tasks and all(one.state and one.state.is_final() for one in tasks):
                break
            await asyncio.sleep(0.5)
    return [(one.name, str(one.state_name)) for one in tasks]


async def read_messages(found: UUID) -> list[str]:
    async with get_client() as client:
        logs = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[found]))
        for _ in range(60):  # they are sent every two seconds
            messages = [one.message for one in await client.read_logs(logs)]
            if "figures   7 rows" in messages:
                return messages
            await asyncio.sleep(0.5)
    return messages


def test_a_run_is_named_by_job_goods_and_moment_and_found_by_tags() -> None:
    found = asked(read_run(measure("250410")))

    assert found.name == "measure 250410 2026-11-25"
    assert set(found.tags) == {"job:measure", "as_of:2026-11-25", "about:250410"}


def test_messages_and_steps_stay_beside_the_run() -> None:
    found = measure()

    assert {"measure   3.0 tonnes", "figures   7 rows"} <= set(asked(read_messages(found)))
    assert asked(read_states(found)) == [("weigh", "Completed")]


async def read_artifacts(found: UUID) -> dict[str | None, object]:
    async with get_client() as client:
        of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[found]))
        artifacts = await client.read_artifacts(artifact_filter=of_run)
    return {one.key: one.data for one in artifacts}


async def newest_run_with(key: str) -> UUID:
    """Flow run of the newest artifact of a kind."""
    async with get_client() as client:
        artifacts = [one for one in await client.read_artifacts() if one.key == key]
    newest = max(artifacts, key=lambda one: one.created)
    return newest.flow_run_id


def test_a_published_table_leaves_its_scores_and_rules(
    new_folder: Callable[[], Path], data_dir: Path
) -> None:
    settings = settings_of(environment(new_folder(), data_dir))
    fill(settings, WORLD.rows())
    run(settings, at(NOW), TABLE)

    artifacts = asked(read_artifacts(asked(newest_run_with("gate"))))

    assert set(artifacts) == {"scores", "gate"}
    assert {"model", "sql"} <= set(json.loads(str(artifacts["scores"]))[0])
    assert {"is newer", "80% band"} <= {row["rule"] for row in json.loads(str(artifacts["gate"]))}
