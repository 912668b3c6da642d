"""A home on which the main job ran, made once and copied; what it was seen to endure."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from prefect.settings import PREFECT_API_URL

from flows.backup import move_locations
from tests.faults.checking import Watch, note
from tests.faults.home import ALL, Home, Nursery, Service, serving
from tests.faults.world import RELEASED, make_data
from tests.flows.conftest import new_folder

__all__ = ["new_folder"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "long" in item.keywords and not ALL:
            item.add_marker(pytest.mark.skip(reason="takes long; MAGNETCAST_FAULTS=all runs it"))


@pytest.fixture(scope="session")
def nursery(prefect_server: None) -> Iterator[Nursery]:  # noqa: ARG001 - must be up
    made = Nursery({"PREFECT_API_URL": str(PREFECT_API_URL.value())})
    yield made
    made.close()


@pytest.fixture(scope="session")
def template(
    tmp_path_factory: pytest.TempPathFactory, nursery: Nursery, new_folder: Callable[[], Path]
) -> Path:
    """Folder of a published, backed-up home; one for all workers of a test run."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    result = root / "faults-template"
    with FileLock(root / "faults-template.lock"):
        if not result.exists():
            folder = new_folder()
            make_data(folder / "data")
            home = Home(folder, nursery, RELEASED)
            for words in (("run",), ("backup", str(folder / "backup.tar.gz"))):
                output = home.call(*words)
                assert output.code == 0, output.err[-3000:]
            result.write_text(str(folder))
    return Path(result.read_text())


@pytest.fixture
def home(template: Path, tmp_path: Path, nursery: Nursery) -> Home:
    """A home of this test's own, two days after a release; all is fine there."""
    return copied(template, tmp_path / "home", nursery)


@pytest.fixture(scope="module")
def shared(
    template: Path, tmp_path_factory: pytest.TempPathFactory, nursery: Nursery
) -> Iterator[tuple[Home, Service]]:
    """A served home for faults one after another: each must leave it as it was."""
    made = copied(template, tmp_path_factory.mktemp("shared") / "home", nursery)
    with serving(made) as service:
        yield made, service


def copied(template: Path, folder: Path, nursery: Nursery) -> Home:
    """Return a copy of the template at another place."""
    shutil.copytree(template, folder, ignore=shutil.ignore_patterns("logs"))
    move_locations(folder / "mlflow.db", template / "artifacts", folder / "artifacts")
    record = folder / "var" / "last-backup.json"
    record.write_text(record.read_text().replace(str(template), str(folder)))
    return Home(folder, nursery, RELEASED)


@pytest.fixture
def served(home: Home) -> Iterator[tuple[Home, Service]]:
    with serving(home) as service:
        yield home, service


@pytest.fixture
def enduring(request: pytest.FixtureRequest) -> Iterator[Callable[[Home, Service, str], Watch]]:
    """Return a maker of the one watch over a fault; it notes what was seen if the test passes."""
    made: list[Watch] = []

    def make(home: Home, service: Service, fault: str) -> Watch:
        made.append(Watch(home, service, fault))
        return made[-1]

    yield make
    for watch in made:
        watch.must_be_whole()
        note(re.sub(r"\[.*", "", request.node.name), watch.seen)
