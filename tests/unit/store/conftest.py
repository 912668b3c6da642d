from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from store.database import open_store


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    """An open, empty store on either database."""
    opened = open_store(store_url)
    yield opened
    opened.dispose()
