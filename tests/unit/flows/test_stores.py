from pathlib import Path

from sqlalchemy import QueuePool

from flows.context.stores import close_stores, made_store, store_of
from store.settings import Settings


def test_closed_stores_have_no_connection_and_open_again(tmp_path: Path) -> None:
    home = Settings(home=tmp_path)
    before = made_store(home)

    close_stores()

    assert isinstance(before.pool, QueuePool)
    assert before.pool.checkedin() == 0
    assert store_of(home) is not before
    close_stores()
