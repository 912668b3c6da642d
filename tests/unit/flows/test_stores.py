"""A process keeps a few stores open and closes the others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, QueuePool

from flows.context.stores import close_stores, made_store, store_of
from store.settings import Settings


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Begin and end with none open."""
    close_stores()
    yield
    close_stores()


def connections(engine: Engine) -> int:
    """Count the connections that wait in an engine's pool."""
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedin()


def test_closed_stores_have_no_connection_and_open_again(tmp_path: Path) -> None:
    home = Settings(home=tmp_path)
    before = made_store(home)

    close_stores()

    assert connections(before) == 0
    assert store_of(home) is not before
