"""A backup of store and MLflow on PostgreSQL while a process writes, put back elsewhere."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import URL, Engine, MetaData, create_engine, func, select

from flows.backup.backup import back_up
from flows.backup.restore import restore, settings_into
from flows.context.stores import close_stores, made_store, store_of
from flows.panels.backtest_files import predict_evidence
from models.registry import mlflow_client, registry
from models.registry.runs import find_runs, read_text
from store.database import open_store, writing
from store.errors import DataError
from store.facts.evidence import data_vintage
from store.facts.reading import read_forecasts, read_table
from store.publications.published import READING_COLUMNS
from store.schema import planning_tables
from store.schema.publication_tables import readings
from store.schema.tables import metadata
from store.settings import PROJECT_ROOT, Settings
from tests.conftest import database_on, shown
from tests.data.builders import at
from tests.flows.conftest import AS_OF, Published

pytestmark = pytest.mark.slow

WRITER = """
import sys
import pandas as pd
from sqlalchemy import insert
from store.database import open_store, writing
from store.schema.planning_tables import tokens
from store.schema.publication_tables import readings
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
    assert planning_tables.needs.metadata is metadata
    with source.connect() as old, writing(target) as new:
        for table in metadata.sorted_tables:
            if rows := [dict(row) for row in old.execute(select(table)).mappings()]:
                new.execute(table.insert(), rows)
                if "id" in table.columns:
                    place = func.pg_get_serial_sequence(table.name, "id")
                    new.execute(select(func.setval(place, max(row["id"] for row in rows))))


def fill_mlflow(source: Settings, target: Settings) -> None:
    """Copy every row of one MLflow database to another, whatever they are."""
    mlflow_client.connect(target)
    old, new = create_engine(source.tracking_uri), create_engine(target.tracking_uri)
    tables = MetaData()
    with old.connect() as read, new.begin() as write:
        tables.reflect(write)
        for table in reversed(tables.sorted_tables):
            write.execute(table.delete())
        for table in tables.sorted_tables:
            if rows := [dict(row) for row in read.execute(select(table)).mappings()]:
                write.execute(table.insert(), rows)
    old.dispose()
    new.dispose()


@pytest.fixture(scope="module")
def there(
    published: Published, postgres_server: URL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """What the main job left, the store and MLflow on PostgreSQL."""
    with database_on(postgres_server) as address, database_on(postgres_server) as mlflow:
        folder = tmp_path_factory.mktemp("postgres") / "var"
        update = {
            "home": folder,
            "database_url": shown(address),
            "tracking_uri": shown(mlflow),
        }
        settings = published.settings.model_copy(update=update)
        fill(store_of(published.settings), made_store(settings))
        fill_mlflow(published.settings, settings)
        yield settings
        close_stores()


@pytest.fixture(scope="module")
def archive(there: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup made while another process writes without a pause."""
    path = tmp_path_factory.mktemp("kept") / "all.tar.zst"
    with writer(there.url):
        back_up(there, path)
    return path


@pytest.fixture
def here(
    there: Settings, empty_postgres: str, postgres_server: URL, tmp_path: Path
) -> Iterator[Settings]:
    """Where nothing stands yet."""
    with database_on(postgres_server) as mlflow:
        update = {"database_url": empty_postgres, "tracking_uri": shown(mlflow)}
        settings = settings_into(there, tmp_path / "home").model_copy(update=update)
        yield settings
        made_store(settings).dispose()


def closed_restore(
    there: Settings, here: Settings, archive: Path, *, force: bool = False
) -> Mapping[str, Any]:
    """Restore, having closed what a restore forgets to be open."""
    store_of(there).dispose()
    return restore(here, archive, force=force)


def test_all_comes_back_in_a_fresh_database_as_one_state(
    there: Settings, here: Settings, archive: Path
) -> None:
    manifest = closed_restore(there, here, archive)

    engine = store_of(here)
    pairs = read_table(engine, readings, columns=READING_COLUMNS)
    assert len(pairs) == manifest["database"]["rows"]["readings"]
    assert len(pairs.loc[pairs["words"] == ""]) == manifest["database"]["rows"]["tokens"] >= 3
    assert len(read_table(store_of(there), readings, columns=READING_COLUMNS)) > len(pairs)
    pd.testing.assert_frame_equal(read_forecasts(engine), read_forecasts(store_of(there)))
    assert len(read_forecasts(engine)) > 0
    assert data_vintage(engine) == data_vintage(store_of(there))
    assert manifest["mlflow"]["kind"] == "postgresql"
    assert registry.champion(here) == registry.champion(there) is not None
    [ours], [theirs] = (find_runs(one, {"flow": "backtest"}) for one in (here, there))
    assert ours.info.run_id == theirs.info.run_id
    assert read_text(here, ours.info.run_id, "cells.csv")
    pd.testing.assert_frame_equal(
        predict_evidence(here, at(AS_OF)), predict_evidence(there, at(AS_OF))
    )


def test_rows_in_the_database_are_replaced_only_when_forced(
    there: Settings, here: Settings, archive: Path
) -> None:
    engine = open_store(here.url)
    with writing(engine) as connection:
        connection.execute(readings.insert().values(
            measured_at=at("2026-11-25"), as_of=at("2026-11-25"), monitor="slow", subject="mine",
            size=1, fired=False, words="",
        ))  # fmt: skip

    with pytest.raises(DataError, match="rows in readings"):
        closed_restore(there, here, archive)
    assert read_table(engine, readings, columns=READING_COLUMNS)["subject"].tolist() == ["mine"]
    engine.dispose()
    closed_restore(there, here, archive, force=True)

    assert "mine" not in set(
        read_table(store_of(here), readings, columns=READING_COLUMNS)["subject"]
    )
