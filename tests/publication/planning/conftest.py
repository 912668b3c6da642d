"""Homes of the tests of alerts."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.context.stores import store_of
from store.database import open_store
from store.settings import Settings
from tests.made_once import made_once
from tests.publication.stores import copied, publish

LATER = datetime(2026, 11, 25, tzinfo=UTC)


def home_of(store: Path, folder: Path) -> Iterator[Settings]:
    """Yield the settings of a home with a copy of a store."""
    copied(store, folder)
    made = Settings(home=folder)
    yield made
    store_of(made).dispose()


@pytest.fixture
def settings(published_store: Path, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a home with the published store."""
    yield from home_of(published_store, tmp_path)


@pytest.fixture(scope="session")
def doubled_store(published_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a store whose newest forecast is twice the one before; copied, never written."""

    def fill(folder: Path) -> None:
        engine = open_store(copied(published_store, folder))
        publish(engine, LATER, cutoff="2026-07", factor=2.0)
        engine.dispose()

    return made_once(tmp_path_factory, "doubled-store", fill) / published_store.name


@pytest.fixture
def doubled(doubled_store: Path, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a home in which the newest forecast is twice the one before."""
    yield from home_of(doubled_store, tmp_path)
