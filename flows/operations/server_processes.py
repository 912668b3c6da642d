"""Processes of one machine: known by number and birth, started once, ended by these alone.

A process is known by its number and the kernel's tick of its birth, both in a file: any later
command finds it again, even after its supervisor was killed or the wall clock was moved.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx
from filelock import FileLock

from store.errors import DataError, StoreError
from store.settings import PROJECT_ROOT, Settings

LOOPBACK: Final = "127.0.0.1"
"""Nothing that listens here checks who calls; other machines must not reach it."""


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address: who calls early waits until there is an answer.

    Raises:
        DataError: It is no address of this machine, or it is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as opened:
            listener = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(512)  # callers that may wait for an answer
            opened.pop_all()
    except OSError as err:
        raise DataError(
            f"Cannot bind to {host}:{port} ({err}). Expected an address of this machine with a "
            "free port. Choose another --port, or end what uses it."
        ) from err
    return listener


def shown(listener: socket.socket) -> str:
    """Return the address of a socket as part of a web address."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


START_S: Final = 180.0
"""Seconds a server may take to become healthy."""

END_S: Final = 20.0
"""Seconds a server may take to stop before it is killed."""

PAUSE_S: Final = 0.25

_CHILDREN: Final[dict[int, subprocess.Popen[bytes]]] = {}
"""Processes started by this one, which must collect their exit codes."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A process that runs until it is stopped."""

    name: str
    command: Sequence[str]
    address: str
    """Its web address; empty if it listens nowhere."""
    health: str
    """Address that answers 200 once the server is healthy; empty if running is enough."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A started process: its number may be reused by the kernel, number and birth together not."""

    number: int
    born: str


def is_missing(settings: Settings, name: str) -> bool:
    """Tell whether a server was started, not stopped, and does not run."""
    return _pid_file(settings, name).exists() and running_process(settings, name) is None


def kill_leftovers(settings: Settings, name: str) -> None:
    """Kill what is left of the process group of a server that ended: it may hold the port."""
    pid = _recorded(settings, name)
    # While any process of the group runs, the kernel gives its number to no new process; if a
    # process has that number, the group is not ours.
    if pid is not None and not _birth_of(pid.number):
        with suppress(OSError):
            os.killpg(pid.number, signal.SIGKILL)


def start_lock(settings: Settings) -> FileLock:
    """Return the lock that lets one process at a time start servers."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    return FileLock(settings.run_dir / "starting.lock")


def start(settings: Settings, server: LocalServer, variables: Mapping[str, str]) -> None:
    """Start a server as the leader of its own process group, so that its helpers end with it."""
    with (settings.run_dir / f"{server.name}.log").open("ab") as log:
        # The command is our own list of words.
        process = subprocess.Popen(  # noqa: S603
            server.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(variables),
            cwd=PROJECT_ROOT,
            start_new_session=True,
        )
    _CHILDREN[process.pid] = process
    recorded = json.dumps(asdict(ProcessId(process.pid, _birth_of(process.pid))))
    _pid_file(settings, server.name).write_text(recorded + "\n", encoding="utf-8")


def wait_until_healthy(settings: Settings, server: LocalServer) -> None:
    """Wait until a server is healthy.

    Raises:
        StoreError: It ended, or took too long.
    """
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if running_process(settings, server.name) is None:
            break
        if not server.health or _is_healthy(server.health):
            return
        time.sleep(PAUSE_S)
    log = settings.run_dir / f"{server.name}.log"
    raise StoreError(
        f"{server.name} did not come up. Expected it to answer within {START_S:.0f} s. "
        f"Read the end of {log}."
    )


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def check_port_is_free(server: LocalServer) -> None:
    """Refuse a port that another program uses: its answers would pass for ours.

    Raises:
        DataError: The port is taken.
    """
    if server.address:
        listening_socket(LOOPBACK, int(server.address.rsplit(":", 1)[1])).close()


def stop(settings: Settings, name: str) -> bool:
    """Stop a server and its helpers; return whether it ran."""
    pid = running_process(settings, name)
    if pid is not None:
        deadline = time.monotonic() + END_S
        with suppress(ProcessLookupError):
            os.kill(pid.number, signal.SIGTERM)
            while time.monotonic() < deadline and running_process(settings, name) is not None:
                _reap(pid.number)
                time.sleep(PAUSE_S)
            # The leader is gone or will not go; the rest of its group has no use any more.
            os.killpg(pid.number, signal.SIGKILL)
        _reap(pid.number)
    _pid_file(settings, name).unlink(missing_ok=True)
    return pid is not None


def running_process(settings: Settings, name: str) -> ProcessId | None:
    """Return the process of a server that runs; a reused number does not count."""
    pid = _recorded(settings, name)
    if pid is None:
        return None
    _reap(pid.number)
    return pid if pid.born and _birth_of(pid.number) == pid.born else None


def _recorded(settings: Settings, name: str) -> ProcessId | None:
    try:
        stored = json.loads(_pid_file(settings, name).read_text(encoding="utf-8"))
        return ProcessId(int(stored["number"]), str(stored["born"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _birth_of(number: int) -> str:
    """Return when a process began, in the kernel's ticks; empty where none runs."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    words = stat.rpartition(")")[2].split()
    return "" if words[0] in {"Z", "X"} else words[19]


def _reap(number: int) -> None:
    """Collect the exit code of a child that ended, so that it is no zombie."""
    child = _CHILDREN.get(number)
    if child is not None and child.poll() is not None:
        del _CHILDREN[number]


def _pid_file(settings: Settings, name: str) -> Path:
    return settings.run_dir / f"{name}.json"
