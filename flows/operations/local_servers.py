"""The servers of one machine: started in order, known by their pids, ended by them alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx
from filelock import FileLock

from flows.context.console import say
from store.archive.database_contents import sqlite_file
from store.errors import StoreError
from store.settings import PROJECT_ROOT, Settings

HOST: Final = "127.0.0.1"
"""Nothing here asks who calls; other machines must not reach it."""

POOL: Final = "magnetcast"
"""Name of the work pool whose jobs run as processes of this machine."""

KEEPER: Final = "keeper"
"""Name of what starts the others again (:mod:`flows.operations.supervisor`)."""

LEASES: Final = "prefect.server.concurrency.lease_storage.filesystem"
"""Prefect keeps who holds a training slot in memory: a server that is killed would forget the
holder, not the slot, and nothing would ever train again."""

DEPLOYED: Final = "deployed"
"""File beside the pids with the digest of the prefect.yaml that was taken; gone after `down`."""

START_S: Final = 180.0
END_S: Final = 20.0
PAUSE_S: Final = 0.25

_CHILDREN: Final[dict[int, subprocess.Popen[bytes]]] = {}
"""What this process started, to be told of their end."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A process that goes on until it is ended."""

    name: str
    command: Sequence[str]
    address: str
    """Where people look; empty for one that listens nowhere."""
    health: str
    """Answers 200 once the server is well; empty where it is enough that it lives on."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that was started: its number may be given to another one, its birth may not."""

    number: int
    born: str


def servers(settings: Settings) -> tuple[LocalServer, ...]:
    """Return what a machine runs, in the order it is started."""
    prefect = f"http://{HOST}:{settings.prefect_port}"
    mlflow = f"http://{HOST}:{settings.mlflow_port}"
    service = f"http://{HOST}:{settings.service_port}"
    artifacts = settings.artifact_dir.resolve().as_uri()
    return (
        LocalServer(
            "prefect",
            _words(f"-m prefect server start --host {HOST} --port {settings.prefect_port}"),
            prefect,
            f"{prefect}/api/health",
        ),
        LocalServer(
            "mlflow",
            (
                *_words(f"-m mlflow server --host {HOST} --port {settings.mlflow_port}"),
                *("--workers", "1", "--default-artifact-root", artifacts),
            ),
            mlflow,
            f"{mlflow}/health",
        ),
        LocalServer(
            "worker", _words(f"-m prefect worker start --pool {POOL} --type process"), "", ""
        ),
        LocalServer(
            "service",
            (
                *(sys.executable, "-c", "from flows.cli.app import main; main()"),
                *("serve", "--host", HOST, "--port", str(settings.service_port)),
            ),
            service,
            f"{service}/api/v1/health",
        ),
        LocalServer(KEEPER, _words("-m flows.operations.supervisor"), "", ""),
    )


def _words(text: str) -> tuple[str, ...]:
    """Return the words of a command of this Python."""
    return (sys.executable, *text.split())


def environment(settings: Settings) -> dict[str, str]:
    """Return what the servers are told beside the environment of the command."""
    home, tracking = settings.home.resolve(), settings.tracking_uri
    if (file := sqlite_file(tracking)) is not None:
        tracking = f"sqlite:///{file.resolve()}"
    return {
        **os.environ,
        "MAGNETCAST_HOME": str(home),
        "MAGNETCAST_TRACKING_URI": tracking,
        "MAGNETCAST_ARTIFACT_DIR": str(settings.artifact_dir.resolve()),
        "MLFLOW_BACKEND_STORE_URI": tracking,
        "PREFECT_API_URL": f"http://{HOST}:{settings.prefect_port}/api",
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        "PYTHONPATH": os.pathsep.join(
            [str(PROJECT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
    }


def up(settings: Settings) -> None:
    """Start all that does not run yet, each once the one before is well; say the addresses.

    Raises:
        StoreError: One did not become well; what this call started is ended again.
    """
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    variables, begun = environment(settings), list[str]()
    try:
        for server in servers(settings):
            with _starting(settings):
                if _living(settings, server.name) is None:
                    _check_free(server)
                    begun.append(server.name)
                    _start(settings, server, variables)
            _wait(settings, server)
            say(f"up        {server.name:<8} {server.address or server.name}")
            if server.name == "prefect":
                _deploy(settings, variables)
    except BaseException:
        for name in reversed(begun):
            _end(settings, name)
        raise


def down(settings: Settings) -> None:
    """End exactly what :func:`up` started, the last first."""
    for server in reversed(servers(settings)):
        if _end(settings, server.name):
            say(f"down      {server.name}")
    (settings.run_dir / DEPLOYED).unlink(missing_ok=True)


def running(settings: Settings) -> list[str]:
    """Return the names of the servers that run."""
    return [one.name for one in servers(settings) if _living(settings, one.name) is not None]


def missing(settings: Settings) -> list[str]:
    """Return the names of the servers that were started, not ended, and do not run."""
    return [one.name for one in servers(settings) if is_missing(settings, one.name)]


def is_missing(settings: Settings, name: str) -> bool:
    """Tell whether a server was started and ended though nobody ended it."""
    return _pid_file(settings, name).exists() and _living(settings, name) is None


def start_again(settings: Settings, server: LocalServer) -> bool:
    """Start a server that is missing, unless another process just did; returns whether it did."""
    with _starting(settings):
        if not is_missing(settings, server.name):
            return False
        _end_rest(settings, server.name)
        _start(settings, server, environment(settings))
    return True


def _end_rest(settings: Settings, name: str) -> None:
    """End what is left of the group of a server whose head is gone: it may hold the port."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(_pid_file(settings, name).read_text(encoding="utf-8"))
        number = int(told["number"])
        # The kernel gives no number away that names a group; one that lives is a stranger's.
        if not _born(number):
            os.killpg(number, signal.SIGKILL)


def _starting(settings: Settings) -> FileLock:
    """Return the lock under which one process at a time starts servers."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    return FileLock(settings.run_dir / "starting.lock")


def _start(settings: Settings, server: LocalServer, variables: Mapping[str, str]) -> None:
    """Start a server at the head of a group of its own, so that its helpers end with it."""
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
    told = json.dumps(asdict(ProcessId(process.pid, _born(process.pid))))
    _pid_file(settings, server.name).write_text(told + "\n", encoding="utf-8")


def _deploy(settings: Settings, variables: Mapping[str, str]) -> None:
    """Register work pools, limits and deployments with the server, unless it has these already."""
    noted = settings.run_dir / DEPLOYED
    digest = sha256((PROJECT_ROOT / "prefect.yaml").read_bytes()).hexdigest()
    if noted.exists() and noted.read_text(encoding="utf-8") == digest:
        return
    command = [sys.executable, "-m", "flows.operations.register_deployments"]
    # The command is our own list of words.
    answer = subprocess.run(  # noqa: S603
        command, env=dict(variables), cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise StoreError(
            f"The deployments of prefect.yaml were not taken: {answer.stderr.strip()[-2000:]} "
            "Expected Prefect to take them all. Correct prefect.yaml."
        )
    noted.write_text(digest, encoding="utf-8")


def _wait(settings: Settings, server: LocalServer) -> None:
    """Wait until a server is well.

    Raises:
        StoreError: It ended, or took too long.
    """
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if _living(settings, server.name) is None:
            break
        if not server.health or _answers(server.health):
            return
        time.sleep(PAUSE_S)
    log = settings.run_dir / f"{server.name}.log"
    raise StoreError(
        f"{server.name} did not come up. Expected it to answer within {START_S:.0f} s. "
        f"Its last words are in {log}."
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _check_free(server: LocalServer) -> None:
    """Refuse a port on which a stranger answers: its health would pass for ours."""
    from flows.cli.serve_commands import bound  # noqa: PLC0415 - only who starts servers needs it

    if server.address:
        bound(HOST, int(server.address.rsplit(":", 1)[1])).close()


def _end(settings: Settings, name: str) -> bool:
    """End a server and its helpers; return whether it ran."""
    pid, file = _living(settings, name), _pid_file(settings, name)
    if pid is not None:
        end = time.monotonic() + END_S
        with suppress(ProcessLookupError):
            os.kill(pid.number, signal.SIGTERM)
            while time.monotonic() < end and _living(settings, name) is not None:
                _reap(pid.number)
                time.sleep(PAUSE_S)
            # The head is gone or will not go; what is left of its group has no use any more.
            os.killpg(pid.number, signal.SIGKILL)
        _reap(pid.number)
    file.unlink(missing_ok=True)
    return pid is not None


def _living(settings: Settings, name: str) -> ProcessId | None:
    """Return the pid of a server that runs; a number that went to another process is none."""
    try:
        told = json.loads(_pid_file(settings, name).read_text(encoding="utf-8"))
        pid = ProcessId(int(told["number"]), str(told["born"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    _reap(pid.number)
    return pid if pid.born and _born(pid.number) == pid.born else None


def _born(number: int) -> str:
    """Return when a process began, in the kernel's ticks; empty where none runs."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    words = stat.rpartition(")")[2].split()
    return "" if words[0] in {"Z", "X"} else words[19]


def _reap(number: int) -> None:
    """Let the kernel forget a child that ended; one that is no child of ours has another parent."""
    child = _CHILDREN.get(number)
    if child is not None and child.poll() is not None:
        del _CHILDREN[number]


def _pid_file(settings: Settings, name: str) -> Path:
    return settings.run_dir / f"{name}.json"
