"""A home on which the main job ran, made once and copied."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from prefect.settings import PREFECT_API_URL

from models.registry.stored_model import move_locations
from tests.faults.checking import Watch
from tests.faults.home import ALL, Home, serving
from tests.faults.world import RELEASED, make_data
from tests.flows.conftest import new_folder

__all__ = ["new_folder"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "long" in item.keywords and not ALL:
            item.add_marker(pytest.mark.skip(reason="takes long; MAGNETCAST_FAULTS=all runs it"))


@pytest.fixture(scope="session")
def template(
    prefect_server: None,  # noqa: ARG001 - must be up
    tmp_path_factory: pytest.TempPathFactory,
    new_folder: Callable[[], Path],
) -> Path:
    """Folder of a published, backed-up home; one for all workers of a test run."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    result = root / "faults-template"
    with FileLock(root / "faults-template.lock"):
        if not result.exists():
            folder = new_folder()
            make_data(folder / "data")
            home = Home(folder, RELEASED, api())
            for words in (("run",), ("backup", str(folder / "backup.tar.gz"))):
                output = home.call(*words)
                assert output.code == 0, output.err[-3000:]
            result.write_text(str(folder))
    return Path(result.read_text())


def api() -> dict[str, str]:
    return {"PREFECT_API_URL": str(PREFECT_API_URL.value())}


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Home:
    """A home of this test's own, two days after a release; all is fine there."""
    folder = tmp_path / "home"
    shutil.copytree(template, folder, symlinks=True, ignore=shutil.ignore_patterns("logs"))
    move_locations(folder / "mlflow.db", template / "artifacts", folder / "artifacts")
    record = folder / "var" / "last-backup.json"
    record.write_text(record.read_text().replace(str(template), str(folder)))
    return Home(folder, RELEASED, api())


@pytest.fixture
def watch(home: Home) -> Iterator[Watch]:
    """Watch a served home of this test's own."""
    with serving(home) as service:
        yield Watch(home, service)
