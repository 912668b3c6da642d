"""What every benchmark page shares: the command, the machine and the commit first, then tables."""

import os
import platform
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DATA = ROOT / "data"
GIT = shutil.which("git") or "git"

Item = TypeVar("Item")

# Scripts may use the tests' made-up worlds.
sys.path.insert(0, str(ROOT))


def heading(title: str, command: str, *facts: str) -> list[str]:
    """Return the first lines of a page; the very first is the command that made it."""
    return [f"Made by `{command}`.", "", f"# {title}", "", *facts, machine()]


def machine() -> str:
    """Return one line on where the figures were made."""
    cores = len(os.sched_getaffinity(0))
    return f"Machine: {cores} cores, Python {platform.python_version()}, commit {commit()}."


def commit() -> str:
    """Return the short commit, marked where tracked product files differ from it."""
    head = git("rev-parse", "--short", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/*.md")
    return f"{head} with uncommitted changes" if changed else head


def git(*arguments: str) -> str:
    """Return what git reports of the project, empty where it is no clone."""
    done = subprocess.run(  # noqa: S603 - fixed words, no shell
        [GIT, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def table(frame: pd.DataFrame) -> list[str]:
    """Return a frame as a Markdown table with a blank line on either side."""
    rows = [list(frame.columns), *frame.astype(str).to_numpy().tolist()]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return ["", lines[0], f"|{' --- |' * len(frame.columns)}", *lines[1:], ""]


def prose(text: str) -> list[str]:
    """Return a paragraph in lines of at most 110 characters, with a blank line before it."""
    return ["", *textwrap.wrap(" ".join(text.split()), width=110)]


def write(name: str, lines: Sequence[str]) -> None:
    """Write a page beside the scripts and print it."""
    text = "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"
    (HERE / name).write_text(text, encoding="utf-8")
    print(text)


def seconds_of(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the seconds that each of some rounds of work takes."""
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return taken


def track(items: Sequence[Item], label: str) -> Iterable[Item]:
    """Say how many things a replay is about to do."""
    print(f"{label}: {len(items)}", flush=True)
    return items
