import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import httpx
import pytest

from flows.context.prefect_runs import JOB, auth_string, is_up, prefect_folder, server_of
from flows.serving import listening_socket
from flows.up import LOOPBACK, environment
from models.registry import model_registry
from store.errors import DataError
from store.settings import PROJECT_ROOT, Settings
from tests.helpers import ended as ended_words
from tests.helpers import free_port, settings_in

PATIENCE_S = 600


def until(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        with suppress(httpx.HTTPError):
            if holds():
                return
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.5)


@dataclass(frozen=True)
class Up:
    settings: Settings
    process: subprocess.Popen[bytes]
    variables: dict[str, str]

    @property
    def api(self) -> str:
        return f"http://{LOOPBACK}:{self.settings.prefect_port}/api"

    @property
    def service(self) -> str:
        return f"http://{LOOPBACK}:{self.settings.service_port}/health"

    def ask(self, method: str, path: str, **body: object) -> httpx.Response:
        """Answer of Prefect's server, once its database is not being written to."""
        user, password = auth_string(self.settings.home).split(":")
        end = time.monotonic() + PATIENCE_S
        while True:
            answer = httpx.request(
                method,
                f"{self.api}{path}",
                json=body or None,
                auth=(user, password),
                timeout=60,
                trust_env=False,
            )
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > end:
                return answer
            time.sleep(1.0)


def begun(folder: Path) -> Up:
    settings = settings_in(folder, prefect_port=free_port(), service_port=free_port())
    names = ("home", "tracking_uri", "artifact_dir", "prefect_port", "service_port")
    variables = {
        **{name: text for name, text in os.environ.items() if not name.startswith("PREFECT_")},
        **{f"MAGNETCAST_{name.upper()}": str(getattr(settings, name)) for name in names},
    }
    command = [sys.executable, "-m", "magnetcast", "up"]
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own words
            command, cwd=PROJECT_ROOT, env=variables, stdout=log, stderr=log
        )
    return Up(settings, process, variables)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    made = begun(folder)
    try:
        until(lambda: httpx.get(made.service, trust_env=False).is_success, made.process)
        name = "/deployments/name/scheduled-ingest/bundled"
        until(lambda: made.ask("GET", name).json().get("status") == "READY", made.process)
        # Whichever tests a worker of pytest has, the home has facts.
        assert ended(made, "scheduled-ingest/bundled") == "COMPLETED"
        yield made
    finally:
        print((folder / "up.log").read_text()[-5000:])  # noqa: T201 - shown where a test fails
        made.process.kill()
        made.process.wait()


def by_hand(up: Up, verb: str) -> "subprocess.CompletedProcess[str]":
    """Run a verb in the home of a running `up`."""
    return ended_words("-m", "magnetcast", verb, cwd=PROJECT_ROOT, env=up.variables)


def ended(up: Up, deployment: str, **asked: object) -> str:
    """Return how a run of a deployment ends that is started over the server."""
    found = up.ask("GET", f"/deployments/name/{deployment}").json()
    place = f"/deployments/{found['id']}/create_flow_run"
    answer = up.ask("POST", place, name="now", **asked)
    assert answer.is_success, answer.text
    run = answer.json()

    def state() -> str:
        return str(up.ask("GET", f"/flow_runs/{run['id']}").json()["state_type"])

    until(lambda: state() in {"COMPLETED", "FAILED", "CRASHED"}, up.process)
    return state()


@pytest.mark.slow
class TestUp:
    def test_who_does_not_name_the_login_is_refused(self, up: Up) -> None:
        wrong = "Basic bWFnbmV0Y2FzdDp4"
        refused = [
            httpx.post(
                f"{up.api}/flows/", json={"name": "any"}, headers=headers, trust_env=False
            ).status_code
            for headers in ({}, {"Authorization": wrong})
        ]

        assert refused == [401, 401]
        assert up.ask("POST", "/flows/", name="any").is_success

    def test_no_page_of_another_site_may_read_answers(self, up: Up) -> None:
        headers = {"Origin": "http://elsewhere.example"}
        answer = httpx.get(f"{up.api}/health", headers=headers, trust_env=False)

        assert "access-control-allow-origin" not in answer.headers

    def test_what_is_made_is_the_owners_alone(self, up: Up) -> None:
        home = up.settings.home

        for path in (home, home / "prefect"):
            assert path.stat().st_mode & 0o777 == 0o700
        for name in ("auth", "profiles.toml", "prefect.db"):
            assert (home / "prefect" / name).stat().st_mode & 0o777 == 0o600

    def test_a_run_of_the_schedule_ingests(self, up: Up) -> None:
        assert (up.settings.home / "magnetcast.db").exists()

    def test_what_is_due_runs_by_itself(self, up: Up) -> None:
        found = up.ask("GET", "/deployments/name/scheduled-ingest/bundled").json()
        place = f"/deployments/{found['id']}"
        each_minute = {"schedule": {"cron": "* * * * *"}, "active": True}

        done = {"state": {"type": {"any_": ["COMPLETED"]}}}
        of_schedule = {"id": {"any_": [found["id"]]}}

        def has_run() -> bool:
            runs = up.ask("POST", "/flow_runs/filter", flow_runs=done, deployments=of_schedule)
            return any(one["auto_scheduled"] for one in runs.json())

        assert not has_run()
        assert up.ask("PATCH", place, schedules=[each_minute]).is_success
        until(has_run, up.process)
        assert up.ask("PATCH", place, schedules=[]).is_success

    def test_a_run_of_the_training_registers_what_its_parameters_ask(self, up: Up) -> None:
        asked = {"as_of": "2020-04-22", "set": {"num_leaves": 8}, "parameters": "default"}

        assert ended(up, "training/on-demand", parameters=asked) == "COMPLETED"

        [made] = model_registry.versions(up.settings)
        assert (made.as_of, made.parameters) == ("2020-04-22T23:59:59+00:00", '{"num_leaves": 8}')

    def test_a_job_by_hand_is_recorded_there(self, up: Up) -> None:
        name = {"name": {"any_": ["ingest the bundled tables"]}}

        done = by_hand(up, "ingest")

        assert "nothing new" in done.stderr
        assert up.ask("POST", "/flow_runs/count", flow_runs=name).json() >= 1

    def test_there_is_one_in_a_home(self, up: Up) -> None:
        done = by_hand(up, "up")

        assert done.returncode == 1
        assert "`magnetcast up` is already running" in done.stderr
        assert is_up(up.settings.home)

    def test_all_end_with_it(self, up: Up) -> None:
        up.process.send_signal(signal.SIGTERM)

        assert up.process.wait(PATIENCE_S) == 0
        assert not is_up(up.settings.home)
        for port in (up.settings.prefect_port, up.settings.service_port):
            listening_socket(LOOPBACK, port).close()


@pytest.mark.slow
def test_all_end_with_one_that_is_killed(tmp_path: Path) -> None:
    killed = begun(tmp_path)
    try:
        until(lambda: httpx.get(killed.service, trust_env=False).is_success, killed.process)
    finally:
        killed.process.kill()
        killed.process.wait()
    end = time.monotonic() + PATIENCE_S

    for port in (killed.settings.prefect_port, killed.settings.service_port):
        with suppress(OSError):
            while time.monotonic() < end:
                socket.create_connection((LOOPBACK, port), timeout=5).close()
                time.sleep(0.2)
        listening_socket(LOOPBACK, port).close()


def test_a_port_that_a_stranger_has_is_refused() -> None:
    with listening_socket(LOOPBACK, 0) as stranger, pytest.raises(DataError, match="free port"):
        listening_socket(LOOPBACK, stranger.getsockname()[1])


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_all_addresses_are_those_of_ipv4_too() -> None:
    with listening_socket("::", 0) as listener:
        socket.create_connection((LOOPBACK, listener.getsockname()[1]), timeout=5).close()


def test_no_password_is_an_argument_and_the_login_is_made_once(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, tracking_uri="postgresql://me:hunter2@db/mlflow")
    first, second = environment(settings), environment(settings)

    assert first["PREFECT_SERVER_API_AUTH_STRING"] == second["PREFECT_API_AUTH_STRING"]
    assert first["MAGNETCAST_TRACKING_URI"] == settings.tracking_uri
    assert len(first["PREFECT_API_AUTH_STRING"]) > 40


def started(home: Path, job: int) -> "subprocess.Popen[bytes]":
    """A process that looks like the server that a job started for itself."""
    command = [sys.executable, "-c", "print(flush=True); input()", "prefect.server"]
    variables = {**os.environ, "PREFECT_HOME": str(prefect_folder(home)), JOB: str(job)}
    server = subprocess.Popen(command, env=variables, stdin=PIPE, stdout=PIPE)  # noqa: S603
    assert server.stdout is not None
    server.stdout.readline()  # before, Linux shows neither its words nor its variables
    return server


def test_status_ends_the_server_of_a_dead_job_and_no_other(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    servers = orphan, ours, elsewhere = [
        started(tmp_path, dead.pid),
        started(tmp_path, os.getpid()),
        started(tmp_path / "elsewhere", dead.pid),
    ]
    try:
        assert "killed job" in server_of(tmp_path)
        assert orphan.poll() == -signal.SIGKILL
        assert "killed job" not in server_of(tmp_path)
        assert (ours.poll(), elsewhere.poll()) == (None, None)
    finally:
        for server in servers:
            server.kill()
            server.communicate()
