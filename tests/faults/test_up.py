"""Every server of `make up` killed at random moments while its worker publishes."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from flows.context.stores import is_writing
from flows.operations import local_servers, server_processes
from flows.operations.local_servers import SUPERVISOR, missing
from flows.operations.server_processes import LOOPBACK
from tests.faults.checking import Watch
from tests.faults.home import PATIENCE_S, Home, Service, alarms
from tests.faults.test_kills import SEED, moments, share
from tests.faults.test_servers import answers, free_port
from tests.faults.world import publish_until

Enduring = Callable[[Home, Service, str], Watch]

pytestmark = [pytest.mark.slow, pytest.mark.long]

NAMES = ("prefect", "mlflow", "service", "worker", SUPERVISOR)
JOB = "scheduled-publication/monthly"
LIFE_S = 30.0
"""About as long as the job of a release takes."""
CLOCK = Path(__file__).parent / "clock"


class Running(Service):
    """The service that ``up`` started."""

    def __init__(self, home: Home) -> None:
        self.home, self.changes = home, {}

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.home.settings.service_port}"


class Schedule:
    """The Prefect server that ``up`` started, asked over HTTP."""

    def __init__(self, home: Home) -> None:
        self._api = f"http://{LOOPBACK}:{home.settings.prefect_port}/api"

    def _ask(self, method: str, path: str, **body: object) -> Any:  # noqa: ANN401 - JSON
        """Ask; where its database is busy Prefect wants to be asked again (503)."""
        end = time.monotonic() + PATIENCE_S
        while True:
            answer = httpx.request(
                method, f"{self._api}{path}", json=body, timeout=60, trust_env=False
            )
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > end:
                break
            time.sleep(1)
        return answer.raise_for_status().json() if answer.content else None

    def pause(self) -> None:
        """Let nothing start by this machine's clock, which is not the home's."""
        for one in self._ask("POST", "/deployments/filter"):
            self._ask("PATCH", f"/deployments/{one['id']}", paused=True)

    def begin(self) -> str:
        """Hand the job of a release to the worker; returns the id of its run."""
        job = self._ask("GET", f"/deployments/name/{JOB}")
        made = self._ask("POST", f"/deployments/{job['id']}/create_flow_run")
        return str(made["id"])

    def wait(self, run: str, *states: str) -> str:
        """Wait until a run is in one of these states, and return which."""
        result = ""

        def holds() -> bool:
            nonlocal result
            result = str(self._ask("GET", f"/flow_runs/{run}")["state_type"])
            return result in states

        until(holds)
        return result


@contextmanager
def running_home(home: Home) -> Iterator[Schedule]:
    """Have all servers up while the block lasts, in the home's day."""
    home.more |= {
        f"MAGNETCAST_{name}_PORT": str(free_port()) for name in ("PREFECT", "MLFLOW", "SERVICE")
    }
    result = up(home)
    assert result.code == 0, result.err
    try:
        schedule = Schedule(home)
        schedule.pause()
        yield schedule
    finally:
        assert home.call("down").code == 0


def up(home: Home) -> Any:  # noqa: ANN401 - as Home.call
    return home.call(
        "up",
        variables={"PYTHONPATH": str(CLOCK), "MAGNETCAST_FAULTS_AHEAD": str(home.clock)},
    )


def test_servers_are_killed_while_the_worker_publishes(home: Home, enduring: Enduring) -> None:
    kills, random_, met = share(2), moments(SEED + 3), 0
    rounds = victims(kills, random_)
    months = pd.period_range("2020-04", periods=len(rounds), freq="M")

    with running_home(home) as schedule:
        service = Running(home)
        watch = enduring(home, service, fault(kills))
        for month, names in zip(months, rounds, strict=True):
            publish_until(home.data, str(month))
            home.set_clock(f"{(month + 1).start_time + pd.Timedelta(days=21):%Y-%m-%d}")
            before = service.forecast()
            schedule.wait(schedule.begin(), "RUNNING", "COMPLETED")
            for name in names:
                time.sleep(random_.uniform(0, LIFE_S / len(names)))
                met += is_writing(home.settings)
                kill(home, name)
                now = service.forecast()
                assert now == before or f'"as_of":"{home.day}' in now.replace(" ", "")
                watch.is_kept()
            assert schedule.wait(schedule.begin(), "COMPLETED", "FAILED", "CRASHED") == "COMPLETED"
            service.shows(home.day)
            watch.unalarmed()
        watch.seen_served()
        watch.saw(f"{met} met the job of a release at work; no half publication was ever seen")
        watch.noted("`Started again in the last day: ...` each time; of the supervisor `servers`")
        watch.healed(
            home.call("run"),
            by="the supervisor restarted them, `up` the supervisor; the next job published, once",
            new=home.day,
        )


def victims(kills: int, random_: random.Random) -> list[list[str]]:
    """Return whom to kill in each round: all, in an order of chance, in the last what is left."""
    sizes = [min(len(NAMES), kills - begun) for begun in range(0, kills, len(NAMES))]
    return [random_.sample(NAMES, len(NAMES))[:size] for size in sizes]


def fault(kills: int) -> str:
    each = ", ".join(sorted(NAMES))
    return f"servers of `make up` ({each}) killed {kills} times (seed {SEED + 3})"


def kill(home: Home, name: str) -> None:
    """Kill a server, hold that it is reported, and wait until it runs again and is well."""
    pid = server_processes.running_process(home.settings, name)
    assert pid is not None, name
    os.kill(pid.number, signal.SIGKILL)
    if name == SUPERVISOR:
        assert any("servers: supervisor of" in one for one in alarms(home.status()))
        assert (result := up(home)).code == 0, result.err
    (found,) = [one for one in local_servers.servers(home.settings) if one.name == name]
    until(lambda: server_processes.running_process(home.settings, name) not in {None, pid})
    until(lambda: not found.health or answers(found.health))
    until(lambda: not missing(home.settings))
    if name != SUPERVISOR:
        assert f"Started again in the last day: {name}" in home.status().out


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while True:
        with suppress(httpx.HTTPError):
            if holds():
                return
        assert time.monotonic() < end
        time.sleep(0.2)
