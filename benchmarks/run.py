"""How long the commands of a newcomer and of a day's work take, and how much memory.

Clones the committed state into a temporary folder and times `make run`, what follows a changed
parameter and a late figure, and `make test` there; the folder is removed afterwards. Memory is the
largest sum over all processes of a command at one moment. Writes run.md.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import page
import pandas as pd
from watch import MEMORY_TEXT, Measured, measure

MAKE = shutil.which("make") or "make"
ENV = shutil.which("env") or "env"
COMMAND = ".venv/bin/magnetcast"
LATE = "--period 2026-09 --destination DEU --tonnes 1000 --source https://example.org/late"


@dataclass(frozen=True, slots=True)
class Step:
    """One command, after those before it."""

    name: str
    command: tuple[str, ...]
    aim_s: int | None = None
    """On 2 cores."""
    aim_mb: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


STEPS = (
    Step("`make run`", (MAKE, "run"), 120, 1500),
    Step("`make run` again", (MAKE, "run"), 15),
    Step(
        "`train`, nothing kept",
        (COMMAND, "train"),
        environment={"MAGNETCAST_ORIGINS_CACHE_MB": "0"},
    ),
    Step("`train --set learning_rate=0.1`", (COMMAND, "train", "--set", "learning_rate=0.1"), 45),
    Step("`ingest figure` of a late month", (COMMAND, "ingest", "figure", *LATE.split())),
    Step("`run` after it", (COMMAND, "run"), 60),
    Step("`make test`", (MAKE, "test"), 360),
)

OURS = ("VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "PYTHONPATH")
"""Variables of the caller that a newcomer does not have."""

FRESH = ("UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CACHE_HOME", "MPLCONFIGDIR", "PREFECT_HOME")
"""Folders that must not hold anything from earlier runs."""

INTRODUCTION = """
Each command runs in a fresh clone of the committed state, one after the other; the first makes the
environment too, with no package cached, so its time depends on the package index. Panels and
forecasts of past origins are kept from one command to the next, but for "nothing kept".
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


def commands_measured(folder: Path, steps: Sequence[Step]) -> dict[str, Measured]:
    """Return what each command took, in order."""
    clone = folder / "magnetcast"
    arguments = [page.GIT, "clone", "--quiet", str(page.ROOT), str(clone)]
    subprocess.run(arguments, check=True)  # noqa: S603 - fixed words, no shell
    environment = newcomer(folder)
    done: dict[str, Measured] = {}
    for step in steps:
        command = [ENV, "-C", str(clone), *step.command]
        own = {**environment, **step.environment}
        done[step.name] = measure(command, log=folder / "log", environment=own)
        print(f"{step.name}: {done[step.name]}", flush=True)
    return done


def text_of(done: Mapping[str, Measured]) -> pd.DataFrame:
    rows = [
        {
            "command": step.name,
            "seconds": f"{done[step.name].seconds:.0f}",
            "aim s": f"<= {step.aim_s}" if step.aim_s else "",
            "processor s": f"{done[step.name].cpu:.0f}",
            "peak memory MB": f"{done[step.name].peak_mb:,.0f}",
            "aim MB": f"<= {step.aim_mb:,}" if step.aim_mb else "",
        }
        for step in STEPS
        if step.name in done
    ]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-tests", action="store_true", help="leave out `make test`")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="magnetcast-") as folder:
        done = commands_measured(Path(folder), STEPS[:-1] if chosen.no_tests else STEPS)
    lines = page.heading(
        "The commands of a newcomer and of a day's work",
        "python benchmarks/run.py" + (" --no-tests" if chosen.no_tests else ""),
        f"Clone of commit {page.git('rev-parse', '--short', 'HEAD')}.",
    )
    lines += [*page.prose(INTRODUCTION + MEMORY_TEXT), *page.table(text_of(done))]
    page.write("run.md", lines)


if __name__ == "__main__":
    main()
