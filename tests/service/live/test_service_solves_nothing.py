"""The process that serves reads what was known; it solves no panel and loads no model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from store.database import open_store
from store.publications.integrity import read_publications
from tests.service.stores import copied

UNUSED = {
    "mlflow", "lightgbm", "sklearn", "scipy.stats", "pandera", "httpx", "xlsxwriter", "psycopg",
}  # fmt: skip
"""Libraries that the service starts without: the first page waits for none of them."""

PROBE = """
import sys

import uvicorn
from starlette.testclient import TestClient

import features.panel.estimation
from flows.cli.command_line import app

features.panel.estimation.solve = None  # whatever solves a panel fails


def ask(server, sockets=None):
    assert not {unused!r} & set(sys.modules)
    # FastAPI builds the routes of an included router again at the first request.
    assert not [one for one in server.config.app.routes if not hasattr(one, "path")]
    with TestClient(server.config.app, base_url="http://127.0.0.1") as client:
        for path in {paths!r}:
            answer = client.get(path)
            months = len(answer.json()["items"]) if path.startswith("/api") else ""
            print(answer.status_code, path, months)


uvicorn.Server.run = ask
app(["serve", "--port", "0"], exit_on_error=False, result_action="return_value")
"""

pytestmark = pytest.mark.slow

PANELS = {
    "/api/v1/history/USA?limit=200": "127",
    "/api/v1/history/USA?limit=200&as_of=2025-08-25": "115",
}
"""Addresses that show the panel behind each publication, and its months."""

PAGES = dict.fromkeys(("/destinations/USA", "/track-record", "/status"), "")


def serve(home: Path, paths: tuple[str, ...]) -> list[str]:
    """Return what each page answered, from a service that ends by itself."""
    known = {**os.environ, "MAGNETCAST_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    known["MAGNETCAST_TRACKING_URI"] = f"sqlite:///{home / 'mlflow.db'}"
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", PROBE.format(paths=paths, unused=UNUSED)],
        env=known, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_process_that_serves_solves_no_panel(published_store: Path, tmp_path: Path) -> None:
    engine = open_store(copied(published_store, tmp_path))
    names = read_publications(engine)["panel"].tolist()
    asked = PANELS | PAGES

    assert serve(tmp_path, tuple(asked)) == [
        f"200 {path} {months}" for path, months in asked.items()
    ]
    assert read_publications(engine)["panel"].tolist() == names
    engine.dispose()
