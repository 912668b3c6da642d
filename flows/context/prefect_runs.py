"""How a job is recorded in Prefect: a flow, its tasks, messages and tables (docs/adr/0045).

Prefect takes seconds to load, so it is loaded by the jobs that it records and by nothing else.
"""

import atexit
import functools
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import pandas as pd
from filelock import FileLock, Timeout

from store.vocabulary import COMMODITY

_P = ParamSpec("_P")
_R = TypeVar("_R")

BY_HAND: Final = ("PREFECT_API_URL", "PREFECT_HOME", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH")
"""Who has set one of these has chosen a server already."""

PROFILE: Final = "magnetcast"
JOB: Final = "MAGNETCAST_JOB"
"""Variable of a job's own server: the process of the job."""

START_S: Final = 180.0
"""Longest start of a server in seconds."""

END_S: Final = 5.0
"""Seconds in which a server ends: its own to record the last states, one that is killed to go."""

_SERVE: Final = """
import os, socket, sys, threading
threading.Thread(target=lambda: os._exit(len(sys.stdin.buffer.read())), daemon=True).start()
import uvicorn
create_app = "prefect.server.api.server:create_app"
config = uvicorn.Config(create_app, factory=True, lifespan="on", log_level="error")
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""
"""Program of a job's own server, on a socket handed in. However the job ends, the pipe to it closes
and the server ends with it."""

USER: Final = "magnetcast"
"""Who signs in to Prefect's pages."""


def prefect_folder(home: Path) -> Path:
    """Folder of Prefect's database, login and profile: ``PREFECT_HOME``."""
    return home.resolve() / "prefect"


def auth_string(home: Path) -> str:
    """Login ``user:password`` of a home's Prefect server, created once, readable by its owner."""
    file = prefect_folder(home) / "auth"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(f"{USER}:{secrets.token_urlsafe(32)}", encoding="utf-8")
    return file.read_text(encoding="utf-8")


def up_lock(home: Path) -> FileLock:
    """Lock that ``magnetcast up`` holds while it runs; another waits five seconds for it."""
    return FileLock(home / "up.lock", timeout=5)


def is_up(home: Path) -> bool:
    """Tell whether ``magnetcast up`` runs in a home."""
    if not (home / "up.lock").exists():
        return False
    try:
        with up_lock(home).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def server_of(home: Path) -> str:
    """Sentence on where the runs of a home are recorded."""
    if named := [f"{name}={os.environ[name]}" for name in BY_HAND if os.environ.get(name)]:
        return f"as set in the environment: {', '.join(named)}."
    folder = prefect_folder(home)
    if is_up(home):
        return f"the server of `magnetcast up`. For the prefect command: PREFECT_HOME={folder}"
    orphan = " The server that a killed job left was ended." if end_orphans(home) else ""
    return (
        f"each job records its run in {folder} by itself, as `magnetcast up` does not run.{orphan}"
    )


def end_orphans(home: Path) -> int:
    """End the servers in a home that outlived the job that started them, and count them."""
    of_home, count = f"PREFECT_HOME={prefect_folder(home)}", 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's, or ended meanwhile
            variables = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            job = next((each for each in variables if each.startswith(f"{JOB}=")), "")
            is_server = job and b"prefect.server" in (folder / "cmdline").read_bytes()
            # Another container counts its processes anew.
            is_near = Path("/proc/self/ns/pid").samefile(folder / "ns/pid")
            is_alive = Path("/proc", job.partition("=")[2]).exists()
            if is_server and of_home in variables and is_near and not is_alive:
                ends = os.pidfd_open(int(folder.name))
                os.kill(int(folder.name), signal.SIGKILL)
                select.select([ends], [], [], END_S)  # until it is gone, not only told to go
                os.close(ends)
                count += 1
    return count


def _choose_server(home: Path) -> None:
    """Name to Prefect, before it is loaded, the server of ``up``, else start one for this job."""
    if "prefect" in sys.modules or any(os.environ.get(name) for name in BY_HAND):
        return
    prefect_folder(home).mkdir(parents=True, exist_ok=True)
    os.environ["PREFECT_HOME"] = str(prefect_folder(home))
    if not is_up(home):
        end_orphans(home)
        _start_server()


def _start_server() -> None:
    """Start a server that ends with this job; early calls wait in the queue of its socket."""
    login = f"{USER}:{secrets.token_urlsafe(32)}"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, handle = listener.getsockname()[1], listener.fileno()
        os.environ |= {
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_API_AUTH_STRING": login,
            "PREFECT_API_REQUEST_TIMEOUT": f"{START_S:.0f}",
        }
        of_server = {
            JOB: str(os.getpid()),
            "PREFECT_SERVER_API_AUTH_STRING": login,
            "PREFECT__SERVER_EPHEMERAL": "1",  # neither its scheduler nor its clean-up
            "PREFECT_UI_ENABLED": "0",
        }
        server = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", _SERVE, str(handle)],
            stdin=subprocess.PIPE, pass_fds=[handle], env=os.environ | of_server,
        )  # fmt: skip
    atexit.register(_stop, server)  # before Prefect's own, so that it runs after those


def _stop(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(END_S)
    server.communicate()  # closes its pipe


def is_in_run() -> bool:
    """Tell whether a flow of Prefect is in progress."""
    if "prefect" not in sys.modules:
        return False
    from prefect.context import FlowRunContext  # noqa: PLC0415 - loaded already

    return FlowRunContext.get() is not None


def in_prefect(
    job: str,
    work: Callable[[], _R],
    *,
    home: Path,
    as_of: pd.Timestamp | None = None,
    about: str = COMMODITY,
) -> _R:
    """Run work as a Prefect flow named by job, moment and commodity, or as part of an open flow."""
    if is_in_run():
        return work()
    _choose_server(home)
    from prefect import flow, tags  # noqa: PLC0415 - seconds

    def run() -> _R:
        return work()

    day = [] if as_of is None else [f"{as_of:%Y-%m-%d}"]
    name = " ".join([job, about, *day])
    recorded = flow(name=job, flow_run_name=name, validate_parameters=False)
    with tags(f"job:{job}", f"about:{about}", *(f"as_of:{label}" for label in day)):
        return recorded(run)()


def show_artifact(key: str, content: pd.DataFrame) -> None:
    """Make a table an artifact of the flow in progress if one is."""
    if not is_in_run():
        return
    from prefect import artifacts  # noqa: PLC0415 - loaded already

    artifacts.create_table_artifact(json.loads(content.to_json(orient="records")), key=key)


def prefect_step(name: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Make a function a task of the flow in progress; where there is none it stays plain."""

    def decorated(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(function)
        def called(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            if not is_in_run():
                return function(*args, **kwargs)
            from prefect import task  # noqa: PLC0415 - loaded already
            from prefect.cache_policies import NO_CACHE  # noqa: PLC0415 - loaded already

            def step() -> _R:
                return function(*args, **kwargs)

            return task(name=name, task_run_name=name, cache_policy=NO_CACHE)(step)()

        return called

    return decorated
