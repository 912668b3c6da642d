"""How a job is recorded in Prefect: a flow, its tasks, messages and tables (docs/adr/0045).

Prefect takes seconds to load, so it is loaded by the jobs that it records and by nothing else.
"""

import atexit
import functools
import json
import os
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
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
EPHEMERAL: Final = "ephemeral"
"""Prefect's own name for a server that lasts as long as the command."""

JOB: Final = "MAGNETCAST_JOB"
"""Variable of a job's own server: the process of the job."""

SERVER: Final = b"prefect.server.api.server:create_app"
"""Word of the command of a server."""

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
    orphans = [server for server, job in job_servers(home) if not Path(f"/proc/{job}").exists()]
    kill = f"`kill {' '.join(map(str, orphans))}`"
    ends = f" A killed job left its server running: {kill}." if orphans else ""
    return f"each job records its run in {folder} by itself, as `magnetcast up` does not run.{ends}"


def job_servers(home: Path) -> Iterator[tuple[int, int]]:
    """Processes of servers that jobs started for themselves in a home, and those of the jobs."""
    of_home = f"PREFECT_HOME={prefect_folder(home)}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's, or ended meanwhile
            variables = (folder / "environ").read_bytes().split(b"\0")
            job = [each for each in variables if each.startswith(f"{JOB}=".encode())]
            if job and of_home in variables and SERVER in (folder / "cmdline").read_bytes():
                yield int(folder.name), int(job[0].partition(b"=")[2])


def end_server(home: Path) -> None:
    """End a server of this job that Prefect left: on a busy machine it may start two."""
    for server, job in job_servers(home):
        if job == os.getpid():
            os.kill(server, signal.SIGKILL)


def _choose_server(home: Path) -> None:
    """Name to Prefect, before it is loaded, the server of ``up``, else one for this job alone."""
    if "prefect" in sys.modules or any(os.environ.get(name) for name in BY_HAND):
        return
    prefect_folder(home).mkdir(parents=True, exist_ok=True)
    os.environ["PREFECT_HOME"] = str(prefect_folder(home))
    if not is_up(home):
        os.environ[JOB] = str(os.getpid())
        atexit.register(end_server, home)  # before Prefect's own, so that it runs after that
        os.environ["PREFECT_PROFILE"] = EPHEMERAL
        os.environ["PREFECT_API_AUTH_STRING"] = f"{USER}:{secrets.token_urlsafe(32)}"
        os.environ["PREFECT_SERVER_API_AUTH_STRING"] = os.environ["PREFECT_API_AUTH_STRING"]


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
