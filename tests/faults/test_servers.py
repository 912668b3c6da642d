import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from features.build import DRIVER_MEANINGS
from flows.serving import app_of
from publication.planning.planning_file import Planning
from publication.site import SiteSource, write_site
from store.settings import PROJECT_ROOT, Settings
from tests.publication.stores import NOW, fill_store

pytestmark = pytest.mark.slow


STOCK = "/stock.json?destination=USA&tonnes=9&stock=20"


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


def test_the_service_outlasts_a_restart_of_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    fill_store(postgres.address)
    settings = Settings(home=tmp_path, database_url=postgres.address)
    source = SiteSource(postgres.address, DRIVER_MEANINGS, Planning(), NOW)
    write_site(source, tmp_path, status={"code": 0, "alarms": []})
    pages = ("/", "/destinations/USA.html", "/api/v1/forecasts.json", "/metrics")

    with TestClient(app_of(settings), base_url="http://localhost") as client:
        before = [client.get(path).content for path in pages]
        answer = client.get(STOCK).json()
        postgres.stop()
        away, lost = [client.get(path).content for path in pages], client.get(STOCK)
        postgres.start()
        healed = client.get(STOCK)

    assert before == away
    assert (lost.status_code, lost.headers["content-type"]) == (503, "application/problem+json")
    assert "does not answer as it should" in lost.json()["detail"]
    assert (healed.status_code, healed.json()) == (200, answer)
