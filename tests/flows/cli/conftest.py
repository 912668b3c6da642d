"""Homes for the tests of commands."""

from collections.abc import Callable
from pathlib import Path
from shutil import copyfile

import pytest

from flows.context.stores import store_of
from flows.ingest.ingest import ingest_if_empty
from store.settings import Settings
from tests.flows.conftest import environment, settings_of


@pytest.fixture(scope="module")
def filled(new_folder: Callable[[], Path], data_dir: Path) -> Path:
    """A folder with the bundled facts, only copied."""
    folder = new_folder()
    settings = settings_of(environment(folder, data_dir))
    ingest_if_empty(settings)
    store_of(settings).dispose()
    return folder


def copy_home(database: Path) -> None:
    """Copy a closed database into the home that the environment names."""
    home = Settings().home
    home.mkdir(parents=True, exist_ok=True)
    copyfile(database, home / "magnetcast.db")
