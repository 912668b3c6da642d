from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from store.database import open_store


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_store(f"sqlite:///{tmp_path / 'deep' / 'store.db'}")
    yield opened
    opened.dispose()
