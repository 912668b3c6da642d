"""What a job leaves in Prefect: names, tags, messages, states and artifacts."""

import asyncio
import base64
import io
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run

from flows.context.console import LOG, echo
from flows.context.prefect_artifacts import WIDTH, leave_picture, leave_table
from flows.context.prefect_runs import job_flow, kept_step
from flows.publishing.run_config import RunConfig
from store.digest_cache import DigestCache, Values
from tests.data.builders import at

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]

Got = TypeVar("Got")
KEY = "a" * 64
AS_OF = at("2026-11-25")


def asked(question: Coroutine[Any, Any, Got]) -> Got:
    return asyncio.run(question)


@job_flow("measure", run_name="measure {as_of:%Y-%m-%d}")
def measure(as_of: pd.Timestamp, cache: DigestCache, config: RunConfig | None = None) -> UUID:
    """Do a step that may be kept, and leave what it found."""

    def made() -> Values:
        return {"tonnes": 3.0}

    found = kept_step("weigh", cache, lambda: cache.fetch(KEY, made))
    echo(f"measure   {found['tonnes']} tonnes")
    LOG.info("measured  at %s by %s", as_of, config)
    LOG.info("figures   %s rows", 7)
    leave_table("tonnes", pd.DataFrame({"place": ["USA"], "tonnes": [1 / 3]}), "What was found.")
    leave_picture("drawn", Figure(figsize=(20, 10)), "How it looks.")
    assert isinstance(flow_run.id, str)
    return UUID(flow_run.id)


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


async def read_artifacts(found: UUID) -> dict[str, Any]:
    async with get_client() as client:
        answer = await client.request(
            "POST",
            "/artifacts/filter",
            json={"flow_runs": {"id": {"any_": [str(found)]}}},
        )
    return {one["key"]: one for one in answer.json()}


def test_a_run_is_named_by_job_and_moment_and_found_by_tags() -> None:
    magnets = asked(read_run(measure(AS_OF, DigestCache())))
    other = asked(read_run(measure(AS_OF, DigestCache(), RunConfig("250410", "250410", "table"))))

    assert magnets.name == other.name == "measure 2026-11-25"
    assert set(magnets.tags) == {"job:measure", "as_of:2026-11-25", "goods:85051110"}
    assert set(other.tags) == {"job:measure", "as_of:2026-11-25", "goods:250410"}


def test_what_is_reported_on_the_terminal_stays_beside_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    messages = asked(read_messages(measure(AS_OF, DigestCache())))

    assert {"measure   3.0 tonnes", "figures   7 rows"} <= set(messages)
    assert capsys.readouterr().err.count("3.0 tonnes") <= 1


def test_a_step_that_was_kept_is_cached_and_one_that_was_not_is_done_again(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    first = asked(read_states(measure(AS_OF, DigestCache(folder, 10_000))))
    again = asked(read_states(measure(AS_OF, DigestCache(folder, 10_000))))
    (folder / KEY).unlink()
    after = asked(read_states(measure(AS_OF, DigestCache(folder, 10_000))))

    assert first == [("weigh", "Completed")]
    assert again == [("weigh", "Cached")]
    assert after == [("weigh", "Completed")]


def test_tables_and_pictures_stay_beside_the_run() -> None:
    found = asked(read_artifacts(measure(AS_OF, DigestCache())))

    assert found["tonnes"]["type"] == "table"
    assert found["tonnes"]["description"] == "What was found."
    assert '"tonnes": [0.333]' in found["tonnes"]["data"]
    head, _, data = found["drawn"]["data"].partition(",")
    assert head == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (WIDTH, WIDTH // 2)


def test_outside_a_run_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.context.prefect_artifacts.create_table_artifact", pytest.fail)
    monkeypatch.setattr("flows.context.prefect_artifacts.create_image_artifact", pytest.fail)

    leave_table("tonnes", pd.DataFrame({"tonnes": [1.0]}), "Nobody asked.")
    leave_picture("drawn", b"", "Nobody asked.")
