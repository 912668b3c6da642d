"""The servers that run magnetcast on one machine: started in order, restarted, stopped.

``python -m flows.operations.local_servers`` restarts those that ended although nobody stopped them:
the last process that ``up`` starts and the first that ``down`` stops.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx
import pandas as pd

from flows.clock import utc_now
from flows.context.console import echo
from flows.context.prefect_home import prefect_folder, remove_profile, write_profile
from flows.operations.server_processes import (
    LOOPBACK,
    LocalServer,
    check_port_is_free,
    is_missing,
    kill_leftovers,
    running_process,
    start,
    start_lock,
    stop,
    wait_until_healthy,
)
from store.errors import StoreError
from store.settings import IMPORT_ROOT, PROJECT_ROOT, Settings
from store.sqlite_files import sqlite_file

POOL: Final = "magnetcast"
"""Name of the work pool whose jobs run as processes of this machine."""

SUPERVISOR: Final = "supervisor"
"""Name of the process that restarts the others (:mod:`flows.operations.local_servers`)."""

LEASES: Final = "prefect.server.concurrency.lease_storage.filesystem"
"""Prefect keeps who holds a training slot in memory: a server that is killed would forget the
holder, not the slot, and nothing would ever train again."""

AT_ONCE: Final = 3
"""So many servers need no other and are started together."""

DEPLOYED: Final = "deployed"
"""File in Prefect's folder with the digest of what is registered there."""


def servers(settings: Settings) -> tuple[LocalServer, ...]:
    """Return the servers in the order they are started; the last two need Prefect's deployments."""
    prefect = f"http://{LOOPBACK}:{settings.prefect_port}"
    mlflow = f"http://{LOOPBACK}:{settings.mlflow_port}"
    service = f"http://{LOOPBACK}:{settings.service_port}"
    artifacts = settings.artifact_dir.resolve().as_uri()
    return (
        LocalServer(
            "prefect",
            _python(f"-m prefect server start --host {LOOPBACK} --port {settings.prefect_port}"),
            prefect,
            f"{prefect}/api/health",
        ),
        LocalServer(
            "mlflow",
            (
                *_python(f"-m mlflow server --host {LOOPBACK} --port {settings.mlflow_port}"),
                *("--workers", "1", "--default-artifact-root", artifacts),
            ),
            mlflow,
            f"{mlflow}/health",
        ),
        LocalServer(
            "service",
            (
                *_python("-m magnetcast"),
                *("serve", "--host", LOOPBACK, "--port", str(settings.service_port)),
            ),
            service,
            f"{service}/api/v1/health",
        ),
        LocalServer(
            "worker", _python(f"-m prefect worker start --pool {POOL} --type process"), "", ""
        ),
        LocalServer(SUPERVISOR, _python(f"-m {__package__}.local_servers"), "", ""),
    )


def _python(text: str) -> tuple[str, ...]:
    """Return a command of this Python interpreter."""
    return (sys.executable, *text.split())


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables of the servers."""
    tracking = settings.tracking_uri
    if (file := sqlite_file(tracking)) is not None:
        tracking = f"sqlite:///{file.resolve()}"
    return {
        **os.environ,
        "MAGNETCAST_HOME": str(settings.home.resolve()),
        "MAGNETCAST_TRACKING_URI": tracking,
        "MAGNETCAST_ARTIFACT_DIR": str(settings.artifact_dir.resolve()),
        "MLFLOW_BACKEND_STORE_URI": tracking,
        "PREFECT_API_URL": f"http://{LOOPBACK}:{settings.prefect_port}/api",
        "PREFECT_HOME": str(prefect_folder(settings.home)),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        "PYTHONPATH": os.pathsep.join(
            [str(IMPORT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
    }


def up(settings: Settings) -> None:
    """Start every server that does not run; those that need Prefect once it has its deployments.

    Raises:
        StoreError: One did not become healthy; what this call started is stopped again.
    """
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    variables, started = environment(settings), list[str]()
    try:
        for at_once in (servers(settings)[:AT_ONCE], servers(settings)[AT_ONCE:]):
            for server in at_once:
                if _start_missing(settings, server, variables):
                    started.append(server.name)
            for server in at_once:
                wait_until_healthy(settings, server)
                echo(f"up        {server.name:<8} {server.address or server.name}")
                if server.name == "prefect":
                    write_profile(settings.home, variables["PREFECT_API_URL"])
                    _deploy(settings, variables)
        echo(f"up        export PREFECT_HOME={prefect_folder(settings.home)} for `prefect` itself")
    except BaseException:
        for name in reversed(started):
            _stop(settings, name)
        raise


def _start_missing(settings: Settings, server: LocalServer, variables: Mapping[str, str]) -> bool:
    """Start a server unless it runs; return whether it was started."""
    with start_lock(settings):
        if running_process(settings, server.name) is not None:
            return False
        check_port_is_free(server)
        start(settings, server, variables)
    return True


def _stop(settings: Settings, name: str) -> bool:
    """Stop a server; without Prefect's, no command is pointed to one."""
    if name == "prefect":
        remove_profile(settings.home)
    return stop(settings, name)


def down(settings: Settings) -> None:
    """Stop exactly what :func:`up` started, the last first."""
    # An earlier version started a "keeper".
    for name in ["keeper", *(one.name for one in reversed(servers(settings)))]:
        if _stop(settings, name):
            echo(f"down      {name}")


def running(settings: Settings) -> list[str]:
    """Return the names of the servers that run."""
    return [
        one.name for one in servers(settings) if running_process(settings, one.name) is not None
    ]


def missing(settings: Settings) -> list[str]:
    """Return the names of the servers that were started, not stopped, and do not run."""
    return [one.name for one in servers(settings) if is_missing(settings, one.name)]


def restart(settings: Settings, server: LocalServer) -> bool:
    """Restart a missing server unless another process just did; return whether it was restarted."""
    with start_lock(settings):
        if not is_missing(settings, server.name):
            return False
        kill_leftovers(settings, server.name)
        start(settings, server, environment(settings))
    return True


def _deploy(settings: Settings, variables: Mapping[str, str]) -> None:
    """Register work pools, limits and deployments with Prefect, unless it has these already."""
    registered = prefect_folder(settings.home) / DEPLOYED
    what = [PROJECT_ROOT, settings.alarm_url.get_secret_value(), *_registration()]
    digest = sha256("\n".join(map(str, what)).encode()).hexdigest()
    kept = registered.read_text(encoding="utf-8") if registered.exists() else ""
    if kept == digest and _has_deployments(variables["PREFECT_API_URL"]):
        return
    command = [sys.executable, "-m", f"{__package__}.register_deployments"]
    # The command is our own list of words.
    answer = subprocess.run(  # noqa: S603
        command, env=dict(variables), cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise StoreError(
            f"Prefect refused the deployments of prefect.yaml: {answer.stderr.strip()[-2000:]} "
            "Expected all of them to be registered. Correct prefect.yaml."
        )
    registered.write_text(digest, encoding="utf-8")


def _has_deployments(api: str) -> bool:
    """Tell whether the server knows any: its database may have been deleted since."""
    answer = httpx.post(f"{api}/deployments/count", json={}, timeout=60.0, trust_env=False)
    return answer.is_success and bool(answer.json())


def _registration() -> list[str]:
    """Return the texts that decide what is registered."""
    files = (PROJECT_ROOT / "prefect.yaml", Path(__file__).with_name("register_deployments.py"))
    return [file.read_text(encoding="utf-8") for file in files]


CHECK_S: Final = 1.0
"""Seconds between two checks."""

STEADY_S: Final = 60.0
"""A server that ran that long is restarted at once; others wait twice as long each time."""

LONGEST_S: Final = 120.0
"""Longest wait before a restart."""

FILE: Final = "started-again.json"
"""File beside the pids with the restarts of the last day, by server."""


def supervise(settings: Settings, *, is_over: Callable[[], bool] = lambda: False) -> None:
    """Restart every server that ended although nobody stopped it."""
    waits: dict[str, float] = {}
    started: dict[str, float] = {}
    while not is_over():
        now = time.monotonic()
        for server in servers(settings):
            name = server.name
            if name == SUPERVISOR or not is_missing(settings, name):
                continue
            ran_for = now - started.get(name, float("-inf"))
            if ran_for < waits.get(name, 0.0):
                continue
            waits[name] = (
                CHECK_S if ran_for > STEADY_S else min(2 * waits.get(name, CHECK_S), LONGEST_S)
            )
            started[name] = now
            if restart(settings, server):
                _record(settings, name, utc_now())
                echo(f"supervisor  {name} had ended; it was restarted")
        time.sleep(CHECK_S)


def recent_restarts(settings: Settings, now: pd.Timestamp) -> Mapping[str, Sequence[pd.Timestamp]]:
    """Return when the supervisor restarted which server in the day before a moment.

    Args:
        settings: Where things are kept.
        now: The moment (UTC).
    """
    try:
        stored = json.loads(_file(settings).read_text(encoding="utf-8"))
        restarts = {str(name): [pd.Timestamp(one) for one in stored[name]] for name in stored}
    except (OSError, ValueError, TypeError):
        return {}
    recent = {
        name: [one for one in moments if now - one <= pd.Timedelta(days=1)]
        for name, moments in restarts.items()
    }
    return {name: moments for name, moments in recent.items() if moments}


def _record(settings: Settings, name: str, now: pd.Timestamp) -> None:
    """Record a restart; a full disk keeps no server down."""
    restarts = dict(recent_restarts(settings, now))
    restarts[name] = [*restarts.get(name, []), now]
    stored = {name: [one.isoformat() for one in moments] for name, moments in restarts.items()}
    with suppress(OSError):
        _file(settings).write_text(json.dumps(stored) + "\n", encoding="utf-8")


def _file(settings: Settings) -> Path:
    return settings.run_dir / FILE


if __name__ == "__main__":
    supervise(Settings())
