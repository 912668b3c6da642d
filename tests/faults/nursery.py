"""Real processes of magnetcast in a tenth of a second: forked from one that has loaded all.

``python -m tests.faults.nursery`` reads orders as JSON lines and answers with pids and, once a
process ended, its exit code. What runs in a fork is the command line itself, with an environment, a
clock, limits and a user of its own.
"""

import json
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

LOADED = (
    "flows.cli.forecast_commands",
    "flows.monitoring.health",
    "flows.monitoring.status",
    "flows.deployments",
    "flows.backup",
    "flows.analysis.scenarios",
    "flows.cli.ingest_commands",
    "flows.cli.operation_commands",
    "service.app",
    "service.live.live",
    "uvicorn",
)
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Birth:
    """What a process is to be."""

    words: tuple[str, ...]
    """Words of the command line; or one, ``module:function``, to be called."""
    variables: dict[str, str]
    stdout: str
    stderr: str
    ahead_s: float = 0.0
    """Seconds by which its clock is ahead of this machine's."""
    largest_file: int = 0
    """Bytes that a file it writes may have; 0 sets no limit."""
    memory: int = 0
    """Bytes of address space; 0 sets no limit."""
    user: int = 0
    """Number of the user it runs as; 0 leaves it."""


def move_clock(ahead_s: Callable[[], float]) -> None:
    """Move the clock where magnetcast reads it: flows/clock.py alone may."""
    import pandas as pd

    def now(tz: str) -> pd.Timestamp:
        return pd.Timestamp.now(tz=tz) + pd.Timedelta(seconds=ahead_s())

    moved: Any = SimpleNamespace(Timestamp=SimpleNamespace(now=now))
    import_module("flows.clock").pd = moved


def live(birth: Birth) -> None:
    """Be what was ordered."""
    os.setsid()
    for number, path in ((1, birth.stdout), (2, birth.stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(birth.variables)
    if birth.ahead_s:
        move_clock(lambda: birth.ahead_s)
    if birth.largest_file:
        # A write beyond is an error (EFBIG), as on a full disk, and no signal.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (birth.largest_file, birth.largest_file))
    if birth.memory:
        resource.setrlimit(resource.RLIMIT_AS, (birth.memory, birth.memory))
    if birth.user:
        os.setgroups([])
        os.setgid(birth.user)
        os.setuid(birth.user)
    run(birth.words)


def run(words: tuple[str, ...]) -> None:
    if len(words) == 1 and ":" in words[0]:
        module, _, name = words[0].partition(":")
        function: Callable[[], None] = getattr(import_module(module), name)
        function()
        return
    sys.argv = ["magnetcast", *words]
    import_module("flows.cli.app").main()


def born(birth: Birth) -> int:
    """Fork, and never return in the child."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        live(birth)
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - what a process would print as it dies
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def say(**facts: object) -> None:
    sys.__stdout__.write(json.dumps(facts) + "\n")
    sys.__stdout__.flush()


def main() -> None:
    import_module("flows.cli.app")  # sets what Prefect reads on import: first
    for name in LOADED:
        import_module(name)
    say(ready=True)
    living: set[int] = set()
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], POLL_S)
        if readable:
            line = sys.stdin.readline()
            if not line:
                end(living)
                return
            result = json.loads(line)
            pid = born(Birth(**{**result, "words": tuple(result["words"])}))
            living.add(pid)
            say(pid=pid)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            living.discard(pid)
            say(ended=pid, code=os.waitstatus_to_exitcode(status))


def end(living: set[int]) -> None:
    """Kill what still lives: nobody is left to ask it anything."""
    for pid in living:
        os.killpg(pid, signal.SIGKILL)


def order(birth: Birth) -> str:
    return json.dumps(asdict(birth)) + "\n"


if __name__ == "__main__":
    main()
