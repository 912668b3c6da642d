"""The process that serves reads what was known; it solves no panel and loads nothing that could."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import text

from features.panel.system import PRIOR
from store.database import open_store, writing
from store.publications.integrity import read_publications
from tests.service.stores import copied

PROBE = """
import sys

import uvicorn
from starlette.testclient import TestClient

from flows.cli.app import app


def ask(server, sockets=None):
    with TestClient(server.config.app, base_url="http://127.0.0.1") as client:
        for path in {paths!r}:
            answer = client.get(path)
            months = len(answer.json()["items"]) if path.startswith("/api") else ""
            print(answer.status_code, path, months)


uvicorn.Server.run = ask
app(["serve", "--port", "0"], exit_on_error=False, result_action="return_value")
solving = {{"features.panel.evidence", "features.panel.system", "features.panel.system"}}
print("loaded", sorted(solving & set(sys.modules)))
"""

pytestmark = pytest.mark.slow

PANELS = {
    "/api/v1/history/USA?limit=200": "127",
    "/api/v1/history/USA?limit=200&as_of=2025-08-25": "115",
}
"""Addresses that show the panel behind each publication, and its months."""

PAGES = dict.fromkeys(("/destinations/USA", "/track-record", "/status"), "")


def serve(home: Path, paths: tuple[str, ...]) -> tuple[list[str], str]:
    """Return what each page answered and the messages of a service that ends by itself."""
    known = {**os.environ, "MAGNETCAST_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    known["MAGNETCAST_TRACKING_URI"] = f"sqlite:///{home / 'mlflow.db'}"
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", PROBE.format(paths=paths)],
        env=known, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("is_old", [False, True], ids=["stored panels", "made before"])
def test_the_process_that_serves_loads_no_solver_and_answers_from_the_store(
    is_old: bool,  # noqa: FBT001 - a case
    published_store: Path,
    tmp_path: Path,
) -> None:
    engine = open_store(copied(published_store, tmp_path))
    names = read_publications(engine)["panel"].tolist()
    if is_old:
        with writing(engine) as connection:
            record = json.dumps({"prior": asdict(PRIOR)})
            forget = text("UPDATE publications SET panel = '', made_with = :record")
            connection.execute(forget, {"record": record})
            for table in ("panels", "panel_months", "panel_contradictions"):
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - our own words

    # Once the panels are stored, pages are made the same.
    asked = PANELS if is_old else PANELS | PAGES
    result, messages = serve(tmp_path, tuple(asked))

    assert result == [*(f"200 {path} {months}" for path, months in asked.items()), "loaded []"]
    assert read_publications(engine)["panel"].tolist() == names
    assert ("storing the panels behind publications made before" in messages) == is_old
    engine.dispose()
