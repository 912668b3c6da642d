"""Time and peak memory of a command with all its processes (Linux)."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import page

CLI = (sys.executable, "-c", "from flows.cli.command_line import main; main()")
"""The command line of this checkout, with ``home_below`` as its environment."""

POLL_S = 0.1
MEGABYTE = 1e6
TAIL_LINES = 15
MEMORY_TEXT = """
Memory is the largest sum of resident memory over all processes of the command at one moment (polled
every 0.1 s); pages that processes share count more than once.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one command took."""

    seconds: float
    peak_mb: float
    cpu: float = 0.0
    """Processor seconds of the command and all it started and waited for."""


def measure(command: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> Measured:
    """Return time and peak memory of a command; its output goes to ``log``.

    Raises:
        SystemExit: The command failed.
    """
    started, before = time.perf_counter(), processor_seconds()
    with log.open("w", encoding="utf-8") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            list(command), stdout=sink, stderr=sink, env=dict(environment), start_new_session=True
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident(process.pid))
            time.sleep(POLL_S)
    seconds = time.perf_counter() - started
    if process.returncode:
        tail = log.read_text(encoding="utf-8").splitlines()[-TAIL_LINES:]
        raise SystemExit("\n".join([f"{' '.join(command)} failed after {seconds:.0f} s:", *tail]))
    return Measured(seconds, peak / MEGABYTE, processor_seconds() - before)


def home_below(folder: Path) -> dict[str, str]:
    """Return an environment in which a command of this checkout keeps everything in a folder."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (page.ROOT, page.HERE))),
        "MAGNETCAST_HOME": str(folder / "var"),
        "MAGNETCAST_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MAGNETCAST_ARTIFACT_DIR": str(folder / "artifacts"),
    }


def processor_seconds() -> float:
    """Return the processor time of all ended children and of what these waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident(root: int) -> int:
    """Return the resident bytes of a process, all below it and all of its session (Linux only)."""
    parent: dict[int, int] = {}
    session: dict[int, int] = {}
    pages: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it ended between the two calls
            continue
        pid = int(stat.parent.name)
        parent[pid], session[pid], pages[pid] = int(fields[1]), int(fields[3]), int(fields[21])
    members = [pid for pid in pages if session[pid] == root or is_below(pid, root, parent)]
    return sum(pages[pid] for pid in members) * os.sysconf("SC_PAGE_SIZE")


def is_below(pid: int, root: int, parent: Mapping[int, int]) -> bool:
    while pid in parent and pid != root:
        pid = parent[pid]
    return pid == root
