"""A backup of PostgreSQL made while a process writes, put back into a fresh database."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import URL, Engine, func, select

from flows.backup import back_up
from flows.replay import predict_evidence
from flows.restore import restore, settings_into
from flows.stores import store_of
from models import registry
from store import desk_tables
from store.database import open_store, writing
from store.errors import DataError
from store.reading import data_vintage, read_forecasts, read_table
from store.readings import SHOWN
from store.settings import PROJECT_ROOT, Settings
from store.tables import metadata, readings
from tests.conftest import database_on, shown
from tests.data.builders import at
from tests.flows.conftest import AS_OF, Published

WRITER = """
import sys
import pandas as pd
from sqlalchemy import insert
from store.database import open_store, writing
from store.tables import readings, tokens
engine = open_store(sys.argv[1])
at = pd.Timestamp("2026-11-25", tz="UTC")
print("ready", flush=True)
number = 0
while True:
    with writing(engine) as connection:
        connection.execute(insert(readings).values(
            measured_at=at, as_of=at, monitor="slow", subject=str(number), size=1, fired=False,
            words=""))
        connection.execute(insert(tokens).values(
            name=str(number), sha256=str(number), scopes="", created_at=at))
    number += 1
    if number == 3:
        print("writes", flush=True)
"""
"""Writes pairs of rows, each pair in one transaction."""


@contextmanager
def writer(url: str) -> Iterator[None]:
    command = [sys.executable, "-c", WRITER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT_ROOT) as process:  # noqa: S603 - our own words
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
        try:
            yield
            assert process.poll() is None, "the writer must still write"
        finally:
            process.kill()


def fill(source: Engine, target: Engine) -> None:
    """Copy every row of one store to another, whatever their databases."""
    assert desk_tables.needs.metadata is metadata
    with source.connect() as old, writing(target) as new:
        for table in metadata.sorted_tables:
            if rows := [dict(row) for row in old.execute(select(table)).mappings()]:
                new.execute(table.insert(), rows)
                if "id" in table.columns:
                    place = func.pg_get_serial_sequence(table.name, "id")
                    new.execute(select(func.setval(place, max(row["id"] for row in rows))))


@pytest.fixture(scope="module")
def there(
    published: Published, postgres_server: URL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """What the main job left, the store on PostgreSQL."""
    with database_on(postgres_server) as address:
        folder = tmp_path_factory.mktemp("postgres") / "var"
        update = {"home": folder, "database_url": shown(address)}
        settings = published.settings.model_copy(update=update)
        fill(store_of(published.settings), store_of(settings))
        yield settings
        store_of(settings).dispose()
        store_of.cache_clear()


@pytest.fixture(scope="module")
def archive(there: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup made while another process writes without a pause."""
    path = tmp_path_factory.mktemp("kept") / "all.tar.zst"
    with writer(there.url):
        back_up(there, path)
    return path


def onto(there: Settings, home: Path, url: str) -> Settings:
    return settings_into(there, home).model_copy(update={"database_url": url})


def closed_restore(
    there: Settings, here: Settings, archive: Path, *, force: bool = False
) -> Mapping[str, Any]:
    """Restore, having closed what a restore forgets to be open."""
    store_of(there).dispose()
    return restore(here, archive, force=force)


def test_all_comes_back_in_a_fresh_database_as_one_state(
    there: Settings, archive: Path, empty_postgres: str, tmp_path: Path
) -> None:
    here = onto(there, tmp_path / "home", empty_postgres)

    manifest = closed_restore(there, here, archive)

    engine = store_of(here)
    pairs = read_table(engine, readings, columns=SHOWN)
    assert len(pairs) == manifest["database"]["rows"]["readings"]
    assert len(pairs.loc[pairs["words"] == ""]) == manifest["database"]["rows"]["tokens"] >= 3
    assert len(read_table(store_of(there), readings, columns=SHOWN)) > len(pairs)
    pd.testing.assert_frame_equal(read_forecasts(engine), read_forecasts(store_of(there)))
    assert len(read_forecasts(engine)) > 0
    assert data_vintage(engine) == data_vintage(store_of(there))
    assert registry.champion(here) == registry.champion(there)
    pd.testing.assert_frame_equal(
        predict_evidence(here, at(AS_OF)), predict_evidence(there, at(AS_OF))
    )
    engine.dispose()


def test_rows_in_the_database_are_replaced_only_when_forced(
    there: Settings, archive: Path, empty_postgres: str, tmp_path: Path
) -> None:
    here = onto(there, tmp_path / "home", empty_postgres)
    engine = open_store(empty_postgres)
    with writing(engine) as connection:
        connection.execute(readings.insert().values(
            measured_at=at("2026-11-25"), as_of=at("2026-11-25"), monitor="slow", subject="mine",
            size=1, fired=False, words="",
        ))  # fmt: skip

    with pytest.raises(DataError, match="rows in readings"):
        closed_restore(there, here, archive)
    assert read_table(engine, readings, columns=SHOWN)["subject"].tolist() == ["mine"]
    engine.dispose()
    closed_restore(there, here, archive, force=True)

    assert "mine" not in set(read_table(store_of(here), readings, columns=SHOWN)["subject"])
    store_of(here).dispose()
