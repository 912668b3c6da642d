"""A published store, made once, and the app over it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

from store.database import open_store
from tests.made_once import made_once
from tests.service.scenario_service import WhatIf, what_if_over
from tests.publication.second_commodity import add_commodity
from tests.publication.stores import copied, fill_store, make_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def published_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a store with two forecasts; copied, never written."""

    def fill(folder: Path) -> None:
        folder.mkdir()
        fill_store(f"sqlite:///{folder / 'magnetcast.db'}")

    return made_once(tmp_path_factory, "published-store", fill) / "magnetcast.db"


def reader_of(store: Path, folder: Path) -> Iterator[TestClient]:
    """Yield a client of the app over a copy of a store; tests do not write to it."""
    engine = open_store(copied(store, folder))
    with TestClient(make_app(engine), raise_server_exceptions=False) as opened:
        yield opened
    engine.dispose()


@pytest.fixture(scope="session")
def client(published_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Reader of the published store."""
    yield from reader_of(published_store, tmp_path_factory.mktemp("served"))


@pytest.fixture
def engine(published_store: Path, tmp_path: Path) -> Iterator[Engine]:
    """A published store of this test's own."""
    opened = open_store(copied(published_store, tmp_path))
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def two_goods(published_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a store with forecasts of two commodities; copied, never written."""
    folder = tmp_path_factory.mktemp("goods")
    engine = open_store(copied(published_store, folder))
    add_commodity(engine)
    engine.dispose()
    return folder / published_store.name


@pytest.fixture(scope="session")
def commodity_client(
    two_goods: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """Reader of forecasts of two commodities."""
    yield from reader_of(two_goods, tmp_path_factory.mktemp("commodities"))


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Debian's Chromium; skips where there is none."""
    from tests.publication.chromium_pages import chromium  # noqa: PLC0415 - takes a second

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def what_if(published_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhatIf]:
    """A service that answers scenarios; its worker may be killed, the next answers."""
    with what_if_over(published_store, tmp_path_factory.mktemp("what-if")) as opened:
        yield opened
