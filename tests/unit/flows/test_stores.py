"""A process keeps a few stores open and closes the others."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, QueuePool

from flows.context.stores import MOST_OPEN, close_stores, made_store, store_of
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


def test_the_store_used_longest_ago_is_closed_for_one_too_many(tmp_path: Path) -> None:
    homes = [Settings(home=tmp_path / str(number)) for number in range(MOST_OPEN + 1)]
    stores = [made_store(home) for home in homes[:-1]]
    assert [connections(store) for store in stores] == [1] * MOST_OPEN

    assert store_of(homes[0]) is stores[0]
    made_store(homes[-1])

    assert [connections(store) for store in stores] == [1, 0] + [1] * (MOST_OPEN - 2)
    assert store_of(homes[1]) is not stores[1]


def test_closed_stores_have_no_connection_and_open_again(tmp_path: Path) -> None:
    home = Settings(home=tmp_path)
    before = made_store(home)

    close_stores()

    assert connections(before) == 0
    assert store_of(home) is not before
