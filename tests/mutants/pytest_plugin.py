"""Plugin of pytest: which tests run a line, and the tests of one mutant alone, cheapest first.

A fixture wider than a test is a context of its own: whoever asks for it runs the lines of its
set-up, though only the first test of a worker does so.
"""

import json
import os
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FIXTURE = "fixture "
"""Begins the context of a fixture."""

LINES_OF_TESTS = "MAGNETCAST_MUTANTS_MEASURE"
"""Names the folder to write the fixtures, the seconds and the outcome of each test into."""

CHOSEN_TESTS = "MAGNETCAST_MUTANTS_TESTS"
"""Names a file with the ids of the only tests to run."""


class Measurement:
    """Contexts of a coverage run, and what is known of each test."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self.config, self.folder, self.context = config, folder, ""
        self.fixtures: dict[str, list[str]] = {}
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()

    @contextmanager
    def within(self, context: str) -> Iterator[None]:
        coverage, before = (
            self.config.pluginmanager.getplugin("_cov").cov_controller.cov,
            self.context,
        )
        self.context = context
        coverage.switch_context(context)
        yield
        self.context = before
        coverage.switch_context(before)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.fixtures[item.nodeid] = list(getattr(item, "fixturenames", []))
        with self.within(item.nodeid):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object]
    ) -> Generator[None, object, object]:
        if fixturedef.scope == "function":
            return (yield)
        with self.within(FIXTURE + fixturedef.argname):
            return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration if report.when == "call" else 0.0
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        name = os.environ.get("PYTEST_XDIST_WORKER", "main")
        tests = {
            test: {"fixtures": names, "seconds": self.seconds[test], "failed": test in self.failed}
            for test, names in self.fixtures.items()
        }
        (self.folder / f"{name}.json").write_text(json.dumps(tests), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    folder = os.environ.get(LINES_OF_TESTS)
    if folder and (hasattr(config, "workerinput") or not config.getoption("numprocesses")):
        config.pluginmanager.register(Measurement(config, Path(folder)))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (path := os.environ.get(CHOSEN_TESTS)) is None:
        return
    wanted = {test: at for at, test in enumerate(json.loads(Path(path).read_text("utf-8")))}
    others = [item for item in items if item.nodeid not in wanted]
    items[:] = sorted(set(items) - set(others), key=lambda item: wanted[item.nodeid])
    config.hook.pytest_deselected(items=others)
