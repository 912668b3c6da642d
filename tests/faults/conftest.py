"""A home on which the main job ran, made once and copied."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL

from models.registry.stored_model import move_locations
from tests.faults.checking import Watch
from tests.faults.home import ALL, Home, serving
from tests.faults.world import RELEASED, make_data
from tests.flows.conftest import with_mlflow
from tests.made_once import made_once


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "long" in item.keywords and not ALL:
            item.add_marker(pytest.mark.skip(reason="takes long; MAGNETCAST_FAULTS=all runs it"))


@pytest.fixture(scope="session")
def template(
    prefect_server: None,  # noqa: ARG001 - must be up
    mlflow_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Folder of a published, backed-up home; one for all workers of a test run."""

    def fill(folder: Path) -> None:
        folder.mkdir()
        with_mlflow(mlflow_template, folder)
        make_data(folder / "data")
        home = Home(folder, RELEASED, api())
        for words in (("run",), ("backup", str(folder / "backup.tar.gz"))):
            output = home.call(*words)
            assert output.code == 0, output.err[-3000:]

    return made_once(tmp_path_factory, "faults-template", fill)


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
