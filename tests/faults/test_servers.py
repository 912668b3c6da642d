"""MLflow, Prefect and PostgreSQL going away while a forecast is made."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from flows.up import LOOPBACK
from store.database import open_store
from store.planning.audit import create_token
from store.settings import PROJECT_ROOT
from tests.faults.checking import Watch
from tests.faults.home import PATIENCE_S, Home, serving
from tests.faults.world import NEXT, publish_until
from tests.service.stores import NEWEST, fill_store, make_app

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        return int(one.getsockname()[1])


@contextmanager
def server(words: list[str], health: str, log: Path, **more: str) -> Iterator[subprocess.Popen]:
    """Run a server of Python's and wait until it is well."""
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603 - our own words
            [sys.executable, *words],
            env={**os.environ, **more},
            stdout=file,
            stderr=file,
            cwd=log.parent,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + PATIENCE_S
        while not answers(health):
            assert process.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < end
            time.sleep(0.2)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


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
    token = create_token(engine, name="desk", scopes=["write"], at=NEWEST)
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
        healed = [client.get("/publications/2"), client.post("/api/v1/needs", json=NEED)]
        after = {path: client.get(path).content for path in kept}
        needs = client.get("/api/v1/needs").json()
    engine.dispose()

    assert [answer.status_code for answer in lost] == [503, 503]
    for answer in lost:
        assert "The database does not answer now." in answer.text
        assert answer.headers["retry-after"] == "5"
        assert "127.0.0.1" not in answer.text
    assert before == away == after
    assert [answer.status_code for answer in healed] == [200, 201]
    assert [row["name"] for row in needs["items"]] == [NEED["name"]]


@pytest.mark.long
def test_mlflow_goes_away_during_a_run(home: Home) -> None:
    port = free_port()
    address = f"http://{LOOPBACK}:{port}"
    words = ["-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{home.folder / 'mlflow.db'}"]
    words += ["--default-artifact-root", (home.folder / "artifacts").as_uri()]
    log = home.folder / "mlflow.log"
    home.more["MAGNETCAST_TRACKING_URI"] = address
    with server(words, f"{address}/health", log) as process, serving(home) as service:
        watch = Watch(home, service)
        publish_until(home.data, "2020-04")
        home.set_clock(NEXT)
        run = home.start("run")
        run.wait_for("backtest: ")
        os.killpg(process.pid, signal.SIGKILL)
        result = run.ended()

        watch.happened(result, "MLflow's.*cannot be|nothing was registered", code=0)
        assert "144 rows" in result.err, result.err
        service.shows(NEXT)
        watch.alarm("champion", "it cannot answer: MLflow")
        home.set_clock("2020-05-23")
        with server(words, f"{address}/health", log):
            watch.healed(home.call("run"), new="2020-05-23", again=True)


@pytest.mark.long
def test_prefect_goes_away_during_a_run(watch: Watch) -> None:
    home, port = watch.home, free_port()
    api = f"http://{LOOPBACK}:{port}/api"
    words = ["-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)]
    folder = {"PREFECT_HOME": str(home.folder / "prefect")}
    publish_until(home.data, "2020-04")
    home.set_clock(NEXT)
    with server(words, f"{api}/health", home.folder / "prefect.log", **folder) as process:
        run = home.start("run", PREFECT_API_URL=api)
        run.wait_for("backtest: ")
        os.killpg(process.pid, signal.SIGKILL)
        output = run.ended()

    watch.happened(output, "Prefect's server does not answer|error: ")
    watch.still_served()
    watch.alarm("failed", "last run, of 2020-05-22")
    watch.healed(home.call("run"), new=NEXT)
