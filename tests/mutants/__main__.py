"""Mutation testing of the quick tests: ``make mutants SEED=1 PLACES=60``.

A seed draws lines of the core and one fault for each. The tests that run the line are run on a
copy of the tree, the cheapest files first, until one fails. What no test notices is printed with
its file and line. The first time, and with MEASURE=1, the quick tests are run once to see which
run each line.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from coverage import CoverageData

from tests.mutants.places import Place, places_of

CHECKOUT: Final = Path(__file__).parents[2]
FOLDER: Final = CHECKOUT / "var" / "mutants"
TREE: Final = FOLDER / "tree"
MEASURED: Final = FOLDER / "measured"

AREAS: Final = (
    "store/asof.py", "store/facts", "sources/checks.py", "features", "models",
    "publication/planning", "publication/queries", "flows/run.py", "flows/publishing",
    "flows/training", "flows/ingest",
)  # fmt: skip
"""Where a fault changes a number, or what is published and sent."""

ALWAYS: Final = "tests/flows/cli/test_run_command.py"
"""The quick test that runs the product as a process of its own, in which no line is seen."""

FIRST_FILES: Final = 4
"""Files of tests that are run before the others are even collected; then twice as many each."""

QUICK: Final = (
    "-q",
    "-m",
    "not slow",
    "--hypothesis-profile=quick",
    "-p",
    "tests.mutants.pytest_plugin",
)
LIMIT: Final = 10
"""A mutant that takes so many times as long as the tests did is noticed: it hangs."""


@dataclass(frozen=True)
class Tests:
    """What the measurement told: the tests of each line, their fixtures and their seconds."""

    __test__ = False
    items: dict[str, dict[str, object]]

    @classmethod
    def read(cls) -> "Tests":
        items: dict[str, dict[str, object]] = {}
        for path in MEASURED.glob("*.json"):
            items |= json.loads(path.read_text(encoding="utf-8"))
        return cls(items)

    @cached_property
    def coverage(self) -> CoverageData:
        data = CoverageData(str(MEASURED / "coverage"))
        data.read()
        return data

    @cached_property
    def by_fixture(self) -> dict[str, set[str]]:
        users = defaultdict(set)
        for test, about in self.items.items():
            for name in about["fixtures"]:  # type: ignore[attr-defined]
                users[f"fixture {name}"].add(test)
        return users

    @cached_property
    def by_file(self) -> dict[str, list[str]]:
        """Tests that passed, by their file."""
        files = defaultdict(list)
        for test, about in self.items.items():
            if not about["failed"]:
                files[test.split("::")[0]].append(test)
        return files

    def of(self, place: Place) -> dict[str, list[str]]:
        """Tests by file that run a line, the likeliest file first; all of a file for its caches.

        A line that is run on import alone, such as a constant, has the tests of its module.
        """
        path = str(TREE / place.path.relative_to(TREE))
        lines = self.coverage.contexts_by_lineno(path)
        run = {name for n in range(place.line, place.last_line + 1) for name in lines.get(n, ())}
        if run == {""}:
            run = {name for names in lines.values() for name in names}
        users = set(run) & set(self.items)
        for fixture in run - users:
            users |= self.by_fixture.get(fixture, set())
        names = {test.split("::")[0] for test in users}
        files = {name: self.by_file[name] for name in names if name in self.by_file}
        if files and ALWAYS in self.by_file:
            files[ALWAYS] = self.by_file[ALWAYS]
        return dict(sorted(files.items(), key=lambda file: self.rank(file[0], place)))

    def rank(self, file: str, place: Place) -> tuple[int, float]:
        """Place of a file of tests among those to run: of the module's name, of its room, cheap."""
        room, stem = place.path.relative_to(TREE).parts[0], place.path.stem
        is_named = stem in Path(file).stem
        is_near = f"/{room}/" in file or "/golden/" in file
        return 0 if is_named else 1 if is_near else 2, self.seconds(self.by_file[file])

    def seconds(self, tests: list[str]) -> float:
        return sum(float(self.items[test]["seconds"]) for test in tests)  # type: ignore[arg-type]


def copy_tree() -> None:
    """Copy what git has or would take; nothing else of the checkout is seen or changed."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=True, text=True).stdout  # noqa: S603
    shutil.rmtree(TREE, ignore_errors=True)
    for name in filter(None, names.split("\0")):
        if (CHECKOUT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, TREE / name)


def pytest(python: str, *words: str, limit: float | None = None, **variables: str) -> int:
    """Run tests in the copy; the exit code, 1 where they hang."""
    environment = {**os.environ, **variables, "PYTHONPATH": str(TREE)}
    command = [python, "-m", "pytest", *QUICK, *words]
    process = subprocess.Popen(  # noqa: S603
        command, cwd=TREE, env=environment, start_new_session=True,
        stdout=None if limit is None else subprocess.DEVNULL, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        return process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return 1


def measure(python: str, workers: int) -> None:
    """See once which tests run each line."""
    shutil.rmtree(MEASURED, ignore_errors=True)
    MEASURED.mkdir(parents=True)
    pytest(
        python, "-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder", "--cov",
        "--cov-report=", "tests", COVERAGE_FILE=str(MEASURED / "coverage"),
        MAGNETCAST_MUTANTS_MEASURE=str(MEASURED),
    )  # fmt: skip


def drawn(areas: list[str], count: int, seed: int) -> list[Place]:
    """Lines drawn at random, each with one of its faults; ``FILE:LINE`` has all of its faults."""
    by_line: dict[tuple[str, int], list[Place]] = defaultdict(list)
    wanted: list[Place] = []
    for area in areas:
        name, _, line = area.partition(":")
        path = TREE / name
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            for place in places_of(file):
                if line and place.change()[0] == int(line):
                    wanted.append(place)
                elif not line:
                    by_line[str(file), place.line].append(place)
    chance = random.Random(seed)  # noqa: S311 - not a secret
    lines = chance.sample(sorted(by_line), min(count, len(by_line)))
    return wanted + [chance.choice(by_line[line]) for line in lines]


def verdict(python: str, place: Place, tests: Tests) -> str:
    """Who noticed a fault: a file of tests, or nobody."""
    files = list(tests.of(place).items())
    if not files:
        return "SURVIVED, for no quick test runs it"
    chosen = FOLDER / "chosen.json"
    original, stamp = place.path.read_bytes(), place.path.stat()
    try:
        place.path.write_text(place.code(), encoding="utf-8")
        size = FIRST_FILES
        while files:
            part, files, size = files[:size], files[size:], 2 * size
            ids = [test for _, names in part for test in names]
            chosen.write_text(json.dumps(ids), encoding="utf-8")
            code = pytest(
                python, "-n", "0", "-x", "--tb=no", "-p", "no:cacheprovider",
                *(name for name, _ in part), limit=120 + LIMIT * tests.seconds(ids),
                MAGNETCAST_MUTANTS_TESTS=str(chosen), PYTHONDONTWRITEBYTECODE="1",
            )  # fmt: skip
            if code != 0:
                return "noticed"
    finally:
        place.path.write_bytes(original)
        os.utime(place.path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    return "SURVIVED"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="interpreter that runs the tests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--places", type=int, default=60)
    parser.add_argument("--workers", type=int, default=1, help="for the measurement")
    parser.add_argument("--measure", action="store_true", help="see anew which tests run each line")
    parser.add_argument("areas", nargs="*", help="files, folders, or FILE:LINE")
    words = parser.parse_args()
    python = str(Path(words.python).absolute())
    copy_tree()
    if words.measure or not (MEASURED / "coverage").exists():
        measure(python, words.workers)
    tests = Tests.read()
    survivors = []
    places = drawn(words.areas or list(AREAS), words.places, words.seed)
    for number, place in enumerate(places, start=1):
        begin = time.monotonic()
        result = verdict(python, place, tests)
        line, old, new = place.change()
        where = f"{place.path.relative_to(TREE)}:{line}"
        print(f"{number:3} {result:12} {time.monotonic() - begin:5.0f} s  {where}", flush=True)  # noqa: T201
        if result != "noticed":
            print(f"      - {old}\n      + {new}", flush=True)  # noqa: T201
            survivors.append(where)
    print(f"{len(places) - len(survivors)} of {len(places)} noticed, seed {words.seed}")  # noqa: T201
    sys.exit(bool(survivors))


if __name__ == "__main__":
    main()
