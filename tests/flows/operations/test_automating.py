import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.events.clients import get_events_client
from prefect.events.schemas.events import Event
from pydantic import SecretStr

from flows.deployments import backtest_week, ingest_source, keep_safe, publish, tune_quarter
from flows.operations.prefect_events import ALARM
from flows.operations.register_deployments import ENDS, WATCHED, automate
from store.errors import DataError
from store.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_api")]

PATIENCE_S = 300.0


class Receiver:
    """Takes what Prefect posts."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                outer.taken.append(json.loads(self.rfile.read(size))["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:  # type: ignore[override]
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alarm"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def waits_for(self, is_it: Callable[[str], bool]) -> str:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            for text in self.taken:
                if is_it(text):
                    return text
            time.sleep(0.1)
        raise AssertionError(f"only {self.taken} came")


@pytest.fixture(scope="module")
def receiver(prefect_server: None) -> Iterator[Receiver]:  # noqa: ARG001 - must be up
    """A receiver that the automations of the test server post to."""
    made = Receiver()
    settings = Settings(alarm_url=SecretStr(made.url))
    asyncio.run(automate(settings))
    assert asyncio.run(automate(settings)) == 3
    yield made
    asyncio.run(automate(Settings()))
    made.server.shutdown()
    made.server.server_close()


async def named() -> list[str]:
    async with get_client() as client:
        return sorted(one.name for one in await client.read_automations())


async def send(event: str, payload: dict[str, str]) -> None:
    resource = {"prefect.resource.id": "magnetcast.disk"}
    async with get_events_client() as events:
        await events.emit(Event(event=event, resource=resource, payload=payload))


def test_each_is_there_once_however_often_it_is_applied(receiver: Receiver) -> None:
    assert receiver.url
    assert asyncio.run(named()) == [
        "magnetcast: a run failed",
        "magnetcast: an alarm",
        "magnetcast: no check",
    ]


def test_an_alarm_is_posted_in_its_words(receiver: Receiver) -> None:
    words = 'only 0.1 GB are free, "all" of it'

    asyncio.run(send(ALARM, {"alarm": "disk", "words": words}))

    assert receiver.waits_for(lambda text: "disk" in text) == f"magnetcast: disk: {words}"


def test_a_scheduled_run_that_fails_is_posted_with_its_reason(receiver: Receiver) -> None:
    @flow(name="scheduled-backup")
    def breaks() -> None:
        raise DataError("the disk is gone")

    with pytest.raises(DataError, match="the disk is gone"):
        breaks()

    text = receiver.waits_for(lambda one: "scheduled-backup" in one)
    assert "the disk is gone" in text


def test_every_scheduled_flow_but_the_check_is_watched() -> None:
    scheduled = (ingest_source, publish, backtest_week, tune_quarter, keep_safe)

    assert {one.name for one in scheduled} == set(WATCHED)
    assert len(ENDS) == 3


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="MAGNETCAST_ALARM_URL is not a web address"):
        asyncio.run(automate(Settings(alarm_url=SecretStr("mailto:me"))))
