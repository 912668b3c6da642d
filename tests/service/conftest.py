"""A published store, made once, and the app over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from store.database import open_store
from tests.service.stores import copied, fill_store, make_app


@pytest.fixture(scope="session")
def published_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a store with two forecasts; copied, never written."""
    file = tmp_path_factory.mktemp("published") / "magnetcast.db"
    fill_store(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def client(published_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Client of the app over the published store; tests do not write to it."""
    engine = open_store(copied(published_store, tmp_path_factory.mktemp("served")))
    with TestClient(make_app(engine), raise_server_exceptions=False) as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def engine(published_store: Path, tmp_path: Path) -> Iterator[Engine]:
    """A published store of this test's own."""
    opened = open_store(copied(published_store, tmp_path))
    yield opened
    opened.dispose()
