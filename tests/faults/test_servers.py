"""PostgreSQL going away under the service."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from store.planning.audit import create_token

from store.database import open_store
from store.settings import PROJECT_ROOT
from tests.faults.home import PATIENCE_S
from tests.publication.stores import NEWEST, fill_store, make_app

pytestmark = pytest.mark.slow


NEED = {"name": "Motor plant", "destination": "USA", "period_from": "2026-12",
        "period_to": "2027-03", "tonnes": 600.0}  # fmt: skip


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so() and time.monotonic() < end:
        time.sleep(0.1)


class Postgres:
    """A cluster of this test's own that can be stopped and started on its port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        answer = subprocess.run(  # noqa: S603 - our own script
            [PROJECT_ROOT / ".ci" / "postgres", "start", str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if answer.returncode == 3:
            pytest.skip("PostgreSQL is not installed and could not be")
        assert answer.returncode == 0, answer.stderr
        self.address = answer.stdout.strip()
        (self.control,) = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))[-1:]

    def _ask(self, *words: str) -> None:
        owner = ["/usr/sbin/runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*owner, str(self.control), f"--pgdata={self.folder / 'data'}", "--wait"]
        log = f"--log={self.folder / 'server.log'}"
        subprocess.run([*command, log, *words], check=True, cwd="/", stdout=subprocess.DEVNULL)  # noqa: S603

    def stop(self) -> None:
        self._ask("--mode=immediate", "stop")

    def start(self) -> None:
        port = self.address.rpartition(":")[2].partition("/")[0]
        self._ask("-o", f"-h 127.0.0.1 -p {port} -k {self.folder}", "start")

    def remove(self) -> None:
        script = PROJECT_ROOT / ".ci" / "postgres"
        subprocess.run([script, "stop", str(self.folder)], check=True)  # noqa: S603


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    # Beside the tests' folders, which PostgreSQL's own user may not enter.
    with tempfile.TemporaryDirectory(prefix="magnetcast-") as folder:
        Path(folder).chmod(0o755)
        made = Postgres(Path(folder) / "cluster")
        yield made
        made.remove()


def test_the_service_outlasts_a_restart_of_postgresql(postgres: Postgres) -> None:
    fill_store(postgres.address)
    engine = open_store(postgres.address)
    token = create_token(engine, name="planner", scopes=["write"], at=NEWEST)
    kept = ("/", "/destinations/USA", "/api/v1/forecasts/USA", "/api/v1/forecasts")

    with TestClient(make_app(engine), raise_server_exceptions=False) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        before = {path: client.get(path).content for path in kept}
        postgres.stop()
        wait_until(lambda: bool(client.get("/api/v1/ready").json()["trouble"]))
        away = {path: client.get(path).content for path in kept}
        lost = [client.get("/publications/2"), client.post("/api/v1/needs", json=NEED)]
        postgres.start()
        wait_until(lambda: not client.get("/api/v1/ready").json()["trouble"])
        after = {path: client.get(path).content for path in kept}
        healed = [client.get("/publications/2"), client.post("/api/v1/needs", json=NEED)]
        needs = client.get("/api/v1/needs").json()
    engine.dispose()

    assert [answer.status_code for answer in lost] == [503, 503]
    for answer in lost:
        assert "The database does not answer." in answer.text
        assert answer.headers["retry-after"] == "5"
        assert "127.0.0.1" not in answer.text
    assert before == away == after
    assert [answer.status_code for answer in healed] == [200, 201]
    assert [row["name"] for row in needs["items"]] == [NEED["name"]]
