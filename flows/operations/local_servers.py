"""The servers that run magnetcast on one machine: which they are, started in order, stopped."""

import os
import subprocess
import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from flows.context.console import echo
from flows.operations.listening import LOOPBACK
from flows.operations.server_processes import (
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
from store.archive.database_contents import sqlite_file
from store.errors import StoreError
from store.settings import PROJECT_ROOT, Settings

POOL: Final = "magnetcast"
"""Name of the work pool whose jobs run as processes of this machine."""

SUPERVISOR: Final = "supervisor"
"""Name of the process that restarts the others (:mod:`flows.operations.supervisor`)."""

FORMER: Final = ("keeper",)
"""Names under which earlier versions started servers."""

LEASES: Final = "prefect.server.concurrency.lease_storage.filesystem"
"""Prefect keeps who holds a training slot in memory: a server that is killed would forget the
holder, not the slot, and nothing would ever train again."""

DEPLOYED: Final = "deployed"
"""File beside the pids with the digest of the registered prefect.yaml; gone after `down`."""


def servers(settings: Settings) -> tuple[LocalServer, ...]:
    """Return the servers in the order they are started."""
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
            "worker", _python(f"-m prefect worker start --pool {POOL} --type process"), "", ""
        ),
        LocalServer(
            "service",
            (
                *(sys.executable, "-c", "from flows.cli.app import main; main()"),
                *("serve", "--host", LOOPBACK, "--port", str(settings.service_port)),
            ),
            service,
            f"{service}/api/v1/health",
        ),
        LocalServer(SUPERVISOR, _python("-m flows.operations.supervisor"), "", ""),
    )


def _python(text: str) -> tuple[str, ...]:
    """Return a command of this Python interpreter."""
    return (sys.executable, *text.split())


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables of the servers."""
    home, tracking = settings.home.resolve(), settings.tracking_uri
    if (file := sqlite_file(tracking)) is not None:
        tracking = f"sqlite:///{file.resolve()}"
    return {
        **os.environ,
        "MAGNETCAST_HOME": str(home),
        "MAGNETCAST_TRACKING_URI": tracking,
        "MAGNETCAST_ARTIFACT_DIR": str(settings.artifact_dir.resolve()),
        "MLFLOW_BACKEND_STORE_URI": tracking,
        "PREFECT_API_URL": f"http://{LOOPBACK}:{settings.prefect_port}/api",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        "PYTHONPATH": os.pathsep.join(
            [str(PROJECT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
    }


def up(settings: Settings) -> None:
    """Start every server that does not run, each once the one before is healthy.

    Raises:
        StoreError: One did not become healthy; what this call started is stopped again.
    """
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    variables, started = environment(settings), list[str]()
    try:
        for server in servers(settings):
            with start_lock(settings):
                if running_process(settings, server.name) is None:
                    check_port_is_free(server)
                    started.append(server.name)
                    start(settings, server, variables)
            wait_until_healthy(settings, server)
            echo(f"up        {server.name:<8} {server.address or server.name}")
            if server.name == "prefect":
                _deploy(settings, variables)
    except BaseException:
        for name in reversed(started):
            stop(settings, name)
        raise


def down(settings: Settings) -> None:
    """Stop exactly what :func:`up` started, the last first."""
    for name in [*FORMER, *(one.name for one in reversed(servers(settings)))]:
        if stop(settings, name):
            echo(f"down      {name}")
    (settings.run_dir / DEPLOYED).unlink(missing_ok=True)


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
    registered = settings.run_dir / DEPLOYED
    digest = sha256((PROJECT_ROOT / "prefect.yaml").read_bytes()).hexdigest()
    if registered.exists() and registered.read_text(encoding="utf-8") == digest:
        return
    command = [sys.executable, "-m", "flows.operations.register_deployments"]
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
