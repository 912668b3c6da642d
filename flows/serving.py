"""What the service is made of: the site of the home, and questions that are opened later."""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp

from service.app import Later, create_app
from store.errors import DataError, StoreError
from store.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    import pandas as pd

    from service.scenario_pool import Compute, ScenarioEngine

SCENARIOS: Final = PROJECT_ROOT / "scenarios"
"""Folder of the example scenarios."""


def app_of(settings: Settings) -> ASGIApp:
    """App of the service of a home."""
    site = settings.home / "site"
    names = settings.public_names.lower().replace(",", " ").split()
    questions = Later(lambda: _questions(settings))
    sys.setswitchinterval(0.001)  # a page waits that long for a thread that computes, not 5 ms
    threading.Thread(target=_prepare, args=(questions,), daemon=True).start()
    return create_app(site, questions, lambda: "".join(_metrics(site)), names=names)


def _prepare(questions: Later) -> None:
    """Open the questions before the first is asked; an error is left to who asks."""
    with suppress(DataError, StoreError, RuntimeError):  # the last where the service is stopped
        questions.open()


def _questions(settings: Settings) -> ASGIApp:
    from features.build import DRIVER_MEANINGS  # noqa: PLC0415 - pandas takes half a second
    from flows.clock import utc_now  # noqa: PLC0415 - as above
    from flows.context.stores import store_of  # noqa: PLC0415 - as above
    from publication.state import NothingPublishedError  # noqa: PLC0415 - as above
    from service.questions import Questions, questions_app  # noqa: PLC0415 - as above

    questions = Questions(
        store_of(settings), scenario_engine(settings), meanings=DRIVER_MEANINGS, clock=utc_now,
        max_body_bytes=settings.max_body_bytes,
    )  # fmt: skip
    with suppress(NothingPublishedError):
        questions.pool.open(questions.publication())
    return questions_app(questions)


def scenario_engine(settings: Settings) -> "ScenarioEngine":
    """What the service needs to answer scenarios; it loads no model."""
    import yaml  # noqa: PLC0415 - as above

    from service.scenario_pool import ScenarioEngine  # noqa: PLC0415 - as above
    from sources.files.file_reader import read_scenario  # noqa: PLC0415 - as above
    from store.schema.scenario import Scenario  # noqa: PLC0415 - as above

    texts = [path.read_text(encoding="utf-8") for path in sorted(SCENARIOS.glob("*.yaml"))]
    return ScenarioEngine(
        opener=partial(open_published, settings),
        read=partial(read_scenario, "the scenario"),
        examples=tuple(Scenario.model_validate(yaml.safe_load(text)) for text in texts),
        waiting=settings.what_if_waiting,
        seconds=settings.what_if_seconds,
    )


def open_published(settings: Settings, rows: "pd.DataFrame") -> "Compute":
    """Function that computes scenarios on a publication in this process; takes seconds."""
    from flows.publishing.scenario_answers import answers_on  # noqa: PLC0415 - loads the model

    return answers_on(settings, rows)


def _metrics(site: Path) -> Iterator[str]:
    """Lines for Prometheus, from the status that the site was written with."""
    try:
        status = json.loads((site / "api/v1/status.json").read_text(encoding="utf-8"))
        index = json.loads((site / "api/v1/index.json").read_text(encoding="utf-8"))
    except OSError:
        yield "magnetcast_published 0\n"
        return
    yield "magnetcast_published 1\n"
    yield f"magnetcast_status {status['code']}\n"
    for alarm in status["alarms"]:
        yield f'magnetcast_alarm{{alarm="{alarm["alarm"]}"}} 1\n'
    for row in index["publications"]:
        goods = f'{{commodity="{row["commodity"]}"}}'
        moment_s = datetime.fromisoformat(row["as_of"]).timestamp()
        yield f"magnetcast_publication{goods} {row['publication']}\n"
        yield f"magnetcast_forecast_as_of_seconds{goods} {moment_s:.0f}\n"


def listening_socket(host: str, port: int) -> socket.socket:
    """Socket listening at an address; early requests wait in its queue.

    Raises:
        DataError: The address is not one of this machine, or it is taken.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        is_dual = family == socket.AF_INET6 and socket.has_dualstack_ipv6()  # `::` answers IPv4 too
        # 512 requests may wait.
        return socket.create_server(
            (host, port), family=family, backlog=512, dualstack_ipv6=is_dual
        )
    except OSError as err:
        raise DataError(
            f"Cannot bind to {host}:{port} ({err}). Expected an address of this machine with a "
            "free port. Choose another --port, or stop the program that uses it."
        ) from err


def shown(listener: socket.socket) -> str:
    """Host and port of a socket, as written in a web address."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
