"""``magnetcast up``: Prefect's server, the schedule and the service, started and stopped together.

Nothing is restarted: if one ends the others are stopped, and the supervisor of ``up`` (systemd,
docs/operations.md) starts it again.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Final

from filelock import Timeout

from flows.context.console import echo
from flows.context.prefect_runs import PROFILE, START_S, auth_string, prefect_folder, up_lock
from flows.serving import listening_socket
from store.database import sqlite_file
from store.errors import DataError, StoreError
from store.processes import end_with_parent
from store.settings import IMPORT_ROOT, PROJECT_ROOT, Settings

LOOPBACK: Final = "127.0.0.1"

END_S: Final = 20.0
"""Seconds before a process that does not stop is killed."""

PAUSE_S: Final = 0.5

Processes = dict[str, subprocess.Popen[bytes]]


def up(settings: Settings) -> None:
    """Run until Ctrl-C or SIGTERM.

    Raises:
        DataError: It is running already, or a port is taken.
        StoreError: One of the processes ended.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    processes: Processes = {}
    try:
        with up_lock(settings.home):
            for end in (signal.SIGTERM, signal.SIGINT):
                signal.signal(end, signal.default_int_handler)
            try:
                _start(settings, processes)
                while all(process.poll() is None for process in processes.values()):
                    time.sleep(PAUSE_S)
                raise _ended(processes)
            except KeyboardInterrupt:
                echo("up        stopping")
            finally:
                for name, process in reversed(processes.items()):
                    _stop(process)
                    echo(f"up        {name} stopped")
    except Timeout as err:
        raise DataError(
            f"`magnetcast up` is already running in {settings.home}. Expected only one. Stop it "
            "with Ctrl-C or SIGTERM."
        ) from err


def _start(settings: Settings, processes: Processes) -> None:
    """Start all processes, Prefect's server first: the schedule is registered there."""
    prefect = f"http://{LOOPBACK}:{settings.prefect_port}"
    service = f"http://{LOOPBACK}:{settings.service_port}"
    for port in (settings.prefect_port, settings.service_port):
        listening_socket(LOOPBACK, port).close()
    _write_profile(settings, prefect)
    variables = environment(settings)

    def start(name: str, *words: str) -> None:
        command = (sys.executable, *words)
        # The words of the command are ours; its own children end with its process group.
        processes[name] = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            env=variables,
            cwd=PROJECT_ROOT,
            process_group=0,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - no thread runs yet
        )

    at = ("--host", LOOPBACK, "--port")
    start("prefect", "-m", "prefect", "server", "start", *at, str(settings.prefect_port))
    start("service", "-m", "magnetcast", "serve", *at, str(settings.service_port))
    _wait_for(processes, "prefect", f"{prefect}/api/health")
    start("schedule", "-c", f"from {__package__}.deployments import main; main()")
    _wait_for(processes, "service", f"{service}/health")
    folder = prefect_folder(settings.home)
    echo(f"up        prefect  {prefect} (sign in with {folder / 'auth'})")
    echo(f"up        service  {service}")
    echo(f"up        export PREFECT_HOME={folder} for `prefect` itself; stop with Ctrl-C")


def environment(settings: Settings) -> Mapping[str, str]:
    """Environment variables of the processes."""
    tracking = settings.tracking_uri
    if (file := sqlite_file(tracking)) is not None:
        tracking = f"sqlite:///{file.resolve()}"
    login, port = auth_string(settings.home), settings.prefect_port
    return {
        **os.environ,
        "MAGNETCAST_HOME": str(settings.home),
        "MAGNETCAST_TRACKING_URI": tracking,
        "MAGNETCAST_ARTIFACT_DIR": str(settings.artifact_dir.resolve()),
        "PREFECT_SERVER_API_AUTH_STRING": login,
        "PREFECT_API_AUTH_STRING": login,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{LOOPBACK}:{port}",
        "PREFECT_API_URL": f"http://{LOOPBACK}:{port}/api",
        "PREFECT_HOME": str(prefect_folder(settings.home)),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO",
        "PYTHONPATH": os.pathsep.join(
            [str(IMPORT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
    }


def _write_profile(settings: Settings, address: str) -> None:
    """Write Prefect's profile, by which jobs of a home and ``prefect`` itself find the server."""
    file = prefect_folder(settings.home) / "profiles.toml"
    login = auth_string(settings.home)
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(
        f'active = "{PROFILE}"\n\n[profiles.{PROFILE}]\nPREFECT_API_URL = "{address}/api"\n'
        f'PREFECT_API_AUTH_STRING = "{login}"\n',
        encoding="utf-8",
    )


def _wait_for(processes: Processes, name: str, health: str) -> None:
    import httpx  # noqa: PLC0415 - `serve` loads this module and asks nobody

    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and processes[name].poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(health, timeout=5, trust_env=False).is_success:
                return
        time.sleep(PAUSE_S)
    if processes[name].poll() is not None:
        raise _ended(processes)
    raise StoreError(f"{name} did not answer at {health} within {START_S:.0f} s. See its messages.")


def _ended(processes: Processes) -> StoreError:
    ended = [
        f"{name} (exit code {process.poll()})"
        for name, process in processes.items()
        if process.poll()
    ]
    return StoreError(
        f"{', '.join(ended) or 'a process'} of `magnetcast up` ended. Expected all to run. "
        "The others were stopped. See its last messages, then start again."
    )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
