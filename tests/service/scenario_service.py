"""A service that answers scenarios over HTTP, computed by a real process.

The store of these tests was published without a model: the trees say nothing of a scenario there,
all else is as in a run.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import httpx
import pandas as pd
import uvicorn
from starlette.types import ASGIApp

from features.build import DRIVER_MEANINGS
from flows.context.workspace import open_workspace
from flows.publishing.publication_lookup import in_order
from flows.publishing.scenario_answers import answered
from flows.serving import listening_socket, scenario_engine, shown
from models.forecasting.model_frame import rows_of
from models.policy.paired_forecast import PublishedDraws, ScenarioSnapshot
from publication.state import Publication
from service.app import Later, create_app
from service.questions import Questions, questions_app
from service.scenario_pool import Compute, ScenarioEngine, ScenarioPool
from store.database import open_store
from store.settings import Settings
from tests.publication.stores import NOW, copied

YAML = {"Content-Type": "application/yaml"}
TARIFF = (
    "name: Rate of {rate}\n"
    "tariffs:\n"
    "  - {{importer: USA, rate_pct: {rate}, effective_from: 2027-01-01}}\n"
)


def tariff(rate: float) -> str:
    """Return a scenario of a whole rate in the USA."""
    return TARIFF.format(rate=rate)


def opened(settings: Settings, rows: pd.DataFrame) -> Compute:
    """Return who answers about a publication, from its numbers alone."""
    as_of = pd.Timestamp(rows["as_of"].iloc[0])
    history = open_workspace(settings, as_of).history
    origin = history.origin(as_of)
    numbers = in_order(rows, rows_of(origin))
    analogs = history.analogs(as_of)
    snapshot = ScenarioSnapshot(as_of, origin, analogs, numbers, numbers)
    return partial(answered, PublishedDraws.of(snapshot))


def answers(home: Path) -> ScenarioEngine:
    """Return who answers scenarios about the store in a folder."""
    settings = Settings(home=home)
    opener = partial(opened, settings)
    return replace(scenario_engine(settings), opener=opener, waiting=256, seconds=600.0)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A service under way."""

    home: Path
    address: str
    questions: Questions
    client: httpx.Client

    @property
    def pool(self) -> ScenarioPool:
        return self.questions.pool

    @property
    def publication(self) -> Publication:
        return self.questions.publication()

    def post(self, text: str | bytes, path: str = "", **headers: str) -> httpx.Response:
        """Ask a scenario."""
        result = {**YAML, **headers}
        return self.client.post(f"/api/v1/scenarios{path}", content=text, headers=result)

    def compute(self) -> Compute:
        """Return the same answers made here."""
        return opened(Settings(home=self.home), self.publication.latest)


@contextmanager
def what_if_over(store: Path, home: Path, what: ScenarioEngine | None = None) -> Iterator[WhatIf]:
    """Serve a copy of a store in a thread of this process."""
    engine = open_store(copied(store, home))
    questions = Questions(
        engine,
        answers(home) if what is None else what,
        meanings=DRIVER_MEANINGS,
        clock=lambda: NOW,
        max_body_bytes=64_000,
    )
    app = create_app(home / "site", Later(lambda: questions_app(questions)), lambda: "")
    many = httpx.Limits(max_connections=None)
    with (
        online(app) as address,
        httpx.Client(base_url=address, timeout=600, limits=many, trust_env=False) as client,
    ):
        yield WhatIf(home, address, questions, client)
    questions.pool.stop()
    engine.dispose()


@contextmanager
def online(app: ASGIApp) -> Iterator[str]:
    """Serve an app in a thread of this process and yield its address once it is ready."""
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    with listening_socket("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        address = f"http://{shown(listener)}"
        httpx.get(f"{address}/health", timeout=600, trust_env=False)
        yield address
        server.should_exit = True
        thread.join()
