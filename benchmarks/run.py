"""How long the commands of a newcomer take, and how much memory, from a fresh clone.

Clones the committed state into a temporary folder and times `make run`, `make run` again and
`make test` there; the folder is removed afterwards. Memory is the largest sum over all processes of
a command at one moment. Writes run.md.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import page
import pandas as pd
from watch import MEMORY_TEXT, Measured, measure

MAKE = shutil.which("make") or "make"
AIMS = {"make run": (120, 1500), "make run again": (15, None), "make test": (360, None)}
"""Seconds and megabytes, on 2 cores."""

OURS = ("VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "PYTHONPATH")
"""Variables of the caller that a newcomer does not have."""

FRESH = ("UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME", "MPLCONFIGDIR", "PREFECT_HOME")
"""Folders that must not hold anything from earlier runs."""

INTRODUCTION = """
Each command runs in a fresh clone of the committed state, one after the other; the first makes the
environment too, with no package cached, so its time depends on the package index.
"""


def newcomer(folder: Path) -> dict[str, str]:
    """Return the environment of a user without settings, caches or a past."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MAGNETCAST_", "PREFECT_")) and name not in OURS
    }
    fresh = {name: str(folder / name.lower()) for name in FRESH}
    return {**kept, **fresh}


def commands_measured(folder: Path, *, with_tests: bool) -> dict[str, Measured]:
    """Return what each command took, in order."""
    clone = folder / "magnetcast"
    arguments = [page.GIT, "clone", "--quiet", str(page.ROOT), str(clone)]
    subprocess.run(arguments, check=True)  # noqa: S603 - fixed words, no shell
    environment = newcomer(folder)
    done: dict[str, Measured] = {}
    for name in AIMS if with_tests else list(AIMS)[:2]:
        target = name.split()[1]
        done[name] = measure(
            [MAKE, "-C", str(clone), target], log=folder / "log", environment=environment
        )
        print(f"{name}: {done[name]}", flush=True)
    return done


def text_of(done: Mapping[str, Measured]) -> pd.DataFrame:
    rows = [
        {
            "command": f"`make {name.split()[1]}`" + (" again" if "again" in name else ""),
            "seconds": f"{found.seconds:.0f}",
            "aim s": f"<= {AIMS[name][0]}",
            "peak memory MB": f"{found.peak_mb:,.0f}",
            "aim MB": f"<= {AIMS[name][1]:,}" if AIMS[name][1] else "",
        }
        for name, found in done.items()
    ]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-tests", action="store_true", help="leave out `make test`")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="magnetcast-") as folder:
        done = commands_measured(Path(folder), with_tests=not chosen.no_tests)
    lines = page.heading(
        "The commands of a newcomer",
        "python benchmarks/run.py" + (" --no-tests" if chosen.no_tests else ""),
        f"Clone of commit {page.git('rev-parse', '--short', 'HEAD')}.",
    )
    lines += [*page.prose(INTRODUCTION + MEMORY_TEXT), *page.table(text_of(done))]
    page.write("run.md", lines)


if __name__ == "__main__":
    main()
