"""Consistent copies of whole databases while others write, and checks of SQLite files.

Public: :func:`copy_database`, :func:`check_sqlite`, :func:`as_one_file`, :func:`sqlite_damage`,
:func:`move_addresses`.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, MetaData, String, Table, func
from sqlalchemy.exc import SQLAlchemyError

from store.archive.database_contents import DatabaseCopy, connected, describe, dump, kind_of
from store.database import shown_address
from store.errors import StoreError
from store.sqlite_files import sqlite_file, sqlite_to_read

PAGES: Final = -1
"""Pages copied in one step: all, so that the copy is consistent and no writer delays it."""


def copy_database(url: str, target: Path) -> DatabaseCopy:
    """Copy a database to a file: a SQLite database, or a dump of ``pg_dump``.

    Args:
        url: SQLAlchemy address.
        target: File to write.

    Raises:
        StoreError: The database cannot be read, or ``pg_dump`` is missing.
    """
    try:
        return _copy_sqlite(url, target) if kind_of(url) == "sqlite" else dump(url, target)
    except (sqlite3.Error, SQLAlchemyError, OSError) as err:
        raise StoreError(
            f"{shown_address(url)} cannot be copied ({err}). Expected an intact, readable "
            "database. See `magnetcast status`; `magnetcast restore` replaces a damaged one."
        ) from err


def check_sqlite(file: Path, copy: DatabaseCopy) -> None:
    """Check that a SQLite file is intact and holds what its copy held.

    Raises:
        StoreError: It is damaged, or holds something else.
    """
    try:
        found = _inspect(file)
    except (sqlite3.Error, SQLAlchemyError) as err:
        raise StoreError(
            f"{file.name} is no sound database ({err}). Expected the copy that the backup made. "
            "Use another backup."
        ) from err
    if found != copy:
        raise StoreError(
            f"{file.name} holds {found}. Expected {copy}, as in the manifest. Use another backup."
        )


def as_one_file(file: Path) -> None:
    """Merge the write-ahead log into a SQLite file that nobody else has open, to move it."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    file.with_name(f".{file.name}.lock").unlink(missing_ok=True)


def sqlite_damage(url: str) -> str:
    """Return what is wrong with the file of a SQLite database; empty if nothing."""
    file = sqlite_file(url)
    if file is None or not file.exists():
        return ""
    try:
        with closing(sqlite_to_read(file)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as err:
        return f"{file} is no sound database ({err})"
    return "" if answer == "ok" else f"{file} is damaged ({answer})"


def move_addresses(url: str, old: str, new: str) -> int:
    """Replace the start of every text that begins with an address, and count the changes.

    MLflow stores the full address of each artifact; a copy elsewhere needs its own.

    Args:
        url: SQLAlchemy address of MLflow's database.
        old: Former address of the artifacts' folder, without a trailing slash.
        new: Its present address.
    """
    if old == new:
        return 0
    with connected(url) as connection:
        found = MetaData()
        found.reflect(connection)
        return sum(_move(connection, table, old, new) for table in found.sorted_tables)


def _move(connection: Connection, table: Table, old: str, new: str) -> int:
    moved = 0
    for column in table.columns:
        if not isinstance(column.type, String):
            continue
        inside = func.substr(column, 1, len(old) + 1) == f"{old}/"
        changed = new + func.substr(column, len(old) + 1)
        done = connection.execute(
            table.update().where((column == old) | inside).values({column: changed})
        )
        moved += done.rowcount
    return moved


def _copy_sqlite(url: str, target: Path) -> DatabaseCopy:
    source = sqlite_file(url)
    if source is None or not source.is_file():
        raise FileNotFoundError(f"no file {source}")
    with closing(sqlite_to_read(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new, pages=PAGES)
    as_one_file(target)
    return _inspect(target)


def _inspect(file: Path) -> DatabaseCopy:
    """Return what a SQLite file holds."""
    with closing(sqlite3.connect(file)) as connection:
        (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
        if answer != "ok":
            raise sqlite3.DatabaseError(f"integrity check: {answer}")
    with connected(f"sqlite:///{file}") as connection:
        return describe(connection, "sqlite")
