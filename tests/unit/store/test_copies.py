import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from store.archive.database_contents import DatabaseCopy, load_postgres
from store.archive.database_copies import check_sqlite, copy_database, move_addresses, sqlite_damage
from store.database import open_store
from store.errors import StoreError
from tests.conftest import POSTGRES

WRITER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=300, isolation_level=None)
print("ready", flush=True)
number = 0
while True:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO debit VALUES (?)", (number,))
    connection.execute("INSERT INTO credit VALUES (?)", (number,))
    connection.execute("COMMIT")
    number += 1
    time.sleep(0.001)  # with a rollback journal, readers come in between two transactions alone
"""


@contextmanager
def writer(database: Path) -> Iterator[None]:
    """Let a process write pairs of rows, one after the other."""
    command = [sys.executable, "-c", WRITER, str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own words
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
            assert process.poll() is None, "the writer must still write"
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_a_copy_made_while_a_process_writes_is_one_state(tmp_path: Path, journal: str) -> None:
    database = tmp_path / "store.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE debit (n INTEGER)")
        connection.execute("CREATE TABLE credit (n INTEGER)")

    with writer(database):
        copies = [
            copy_database(f"sqlite:///{database}", tmp_path / f"copy-{number}")
            for number in range(10)
        ]

    counts = [copy.rows["debit"] for copy in copies]
    assert counts == [copy.rows["credit"] for copy in copies]
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
    for number, copy in enumerate(copies):
        check_sqlite(tmp_path / f"copy-{number}", copy)


def test_a_copy_tells_its_schema_and_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    open_store(url).dispose()

    copy = copy_database(url, tmp_path / "copy")

    assert copy.kind == "sqlite"
    assert copy.revision
    assert copy.rows["forecasts"] == 0
    assert copy.rows["alembic_version"] == 1


def test_a_copy_that_holds_other_rows_than_reported_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    open_store(url).dispose()
    copy = copy_database(url, tmp_path / "copy")

    with pytest.raises(StoreError, match="as in the manifest"):
        check_sqlite(
            tmp_path / "copy", DatabaseCopy("sqlite", copy.revision, {**copy.rows, "runs": 1})
        )


def test_a_damaged_database_is_reported_and_not_copied(tmp_path: Path) -> None:
    database = tmp_path / "store.db"
    open_store(f"sqlite:///{database}").dispose()
    content = bytearray(database.read_bytes())
    content[4096 : 4096 * 3] = os.urandom(4096 * 2)
    database.write_bytes(content)

    assert "store.db" in sqlite_damage(f"sqlite:///{database}")
    with pytest.raises(StoreError, match="magnetcast restore"):
        copy_database(f"sqlite:///{database}", tmp_path / "copy")


def test_a_server_in_front_of_a_database_cannot_be_copied(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not to a server"):
        copy_database("http://127.0.0.1:5000", tmp_path / "copy")


def test_addresses_move_where_they_begin_with_the_old_folder(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
        connection.execute("CREATE TABLE runs (uri VARCHAR(200), n INTEGER)")
        addresses = [("file:///old/a",), ("file:///old",), ("file:///older/a",), ("s3://old/a",)]
        connection.executemany("INSERT INTO runs VALUES (?, 1)", addresses)

    moved = move_addresses(url, "file:///old", "file:///new")

    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        found = [uri for (uri,) in connection.execute("SELECT uri FROM runs ORDER BY rowid")]
    assert moved == 2
    assert found == ["file:///new/a", "file:///new", "file:///older/a", "s3://old/a"]


@pytest.mark.skipif(POSTGRES not in os.environ, reason=f"{POSTGRES} names no server")
def test_a_dump_brings_back_what_postgresql_held(postgres_url: str, tmp_path: Path) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE extra AS SELECT generate_series(1, 1000) AS n"))
    copy = copy_database(postgres_url, tmp_path / "dump")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM extra"))
        connection.execute(text("CREATE TABLE later (n INTEGER)"))

    load_postgres(postgres_url, tmp_path / "dump")

    assert copy_database(postgres_url, tmp_path / "again") == copy
    assert copy.kind == "postgresql"
    assert copy.rows["extra"] == 1000
    assert "later" not in copy.rows
    engine.dispose()


@pytest.mark.skipif(POSTGRES not in os.environ, reason=f"{POSTGRES} names no server")
def test_without_pg_dump_it_is_said_what_to_install(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(StoreError, match="apt-get install postgresql-client"):
        copy_database(postgres_url, tmp_path / "dump")
