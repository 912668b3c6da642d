"""Stores for the tests of the store."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest
from sqlalchemy import Engine

from store.database import open_store


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    """A migrated store on either database."""
    engine = open_store(store_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def untouched(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An empty store; what is refused before it is written is so on any database."""
    path = copyfile(sqlite_template, tmp_path_factory.mktemp("untouched") / "store.db")
    engine = open_store(f"sqlite:///{path}")
    yield engine
    engine.dispose()
