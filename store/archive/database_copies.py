"""Copies of whole databases, consistent though others write meanwhile, and the way back.

Public: :func:`copy_database`, :func:`check_sqlite`, :func:`as_one_file`, :func:`load_postgres`,
:func:`filled_tables`, :func:`move_addresses`, :func:`kind_of`, :func:`sqlite_file`,
:class:`DatabaseCopy`.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import (
    URL,
    Connection,
    MetaData,
    String,
    Table,
    create_engine,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from store.database import BUSY_TIMEOUT_S, shown_address
from store.errors import StoreError

Kind = Literal["sqlite", "postgresql"]

PAGES: Final = -1
"""Pages copied in one step: all, so that the copy is one state and no writer delays it."""


@dataclass(frozen=True, slots=True)
class DatabaseCopy:
    """What a copy of a database holds."""

    kind: Kind
    revision: str
    """Of the schema; empty where none is noted."""
    rows: Mapping[str, int]
    """Rows of each table."""


def kind_of(url: str) -> Kind:
    """Return which database an address names.

    Raises:
        StoreError: It is neither SQLite in a file nor PostgreSQL.
    """
    if url.startswith("sqlite") and sqlite_file(url) is not None:
        return "sqlite"
    if url.startswith("postgresql"):
        return "postgresql"
    raise StoreError(
        f"{shown_address(url)} cannot be copied. Expected the address of a SQLite file or of a "
        "PostgreSQL database. Set it to the database itself where that is kept, not to a server "
        "in front of it."
    )


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite address, None for any other or for one in memory."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or address.database in {None, "", ":memory:"}:
        return None
    return Path(str(address.database))


def copy_database(url: str, target: Path) -> DatabaseCopy:
    """Copy one state of a database to a file: a SQLite database, or a dump of ``pg_dump``.

    Args:
        url: SQLAlchemy address.
        target: File to be made.

    Raises:
        StoreError: The database cannot be read, or ``pg_dump`` is missing.
    """
    try:
        return _copy_sqlite(url, target) if kind_of(url) == "sqlite" else _dump(url, target)
    except (sqlite3.Error, SQLAlchemyError, OSError) as err:
        raise StoreError(
            f"{shown_address(url)} cannot be copied ({err}). Expected a sound database that can "
            "be read. Look at `magnetcast status`; a damaged one is put back by "
            "`magnetcast restore`."
        ) from err


def check_sqlite(file: Path, copy: DatabaseCopy) -> None:
    """Check that a SQLite file is sound and holds what its copy held.

    Raises:
        StoreError: It does not.
    """
    try:
        found = _look(file)
    except (sqlite3.Error, SQLAlchemyError) as err:
        raise StoreError(
            f"{file.name} is no sound database ({err}). Expected the copy that the backup made. "
            "Use another backup."
        ) from err
    if found != copy:
        raise StoreError(
            f"{file.name} holds {found}. Expected {copy}, as the manifest says. Use another backup."
        )


def as_one_file(file: Path) -> None:
    """Fold the log of a SQLite file that nobody else has open into it, so that it can be moved."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    file.with_name(f".{file.name}.lock").unlink(missing_ok=True)


def is_sound(url: str) -> str:
    """Return what is wrong with the file of a SQLite database, empty where nothing is."""
    file = sqlite_file(url)
    if file is None or not file.exists():
        return ""
    try:
        with closing(sqlite3.connect(file, timeout=float(BUSY_TIMEOUT_S))) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as err:
        return f"{file} is no sound database ({err})"
    return "" if answer == "ok" else f"{file} is damaged ({answer})"


_OWN_FUNCTIONS: Final = """
SELECT oid::regprocedure::text FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""
"""Functions of the schema that no extension brought, such as the audit trail's guard."""


def load_postgres(url: str, dump: Path) -> None:
    """Replace all tables and functions of a PostgreSQL database by those of a dump.

    Raises:
        StoreError: ``pg_restore`` is missing or fails; the database may then hold no tables.
    """
    program = _program("pg_restore")
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.begin() as connection:
            for name in inspect(connection).get_table_names():
                quoted = connection.dialect.identifier_preparer.quote(name)
                connection.execute(text(f"DROP TABLE {quoted} CASCADE"))
            for name in connection.scalars(text(_OWN_FUNCTIONS)):
                connection.execute(text(f"DROP FUNCTION {name} CASCADE"))
    except SQLAlchemyError as err:
        raise StoreError(
            f"The tables of {shown_address(url)} cannot be replaced ({err}). Expected a "
            "reachable database whose owner we are. Check MAGNETCAST_DATABASE_URL."
        ) from err
    finally:
        engine.dispose()
    _run(
        url,
        [program, "--no-owner", "--exit-on-error", "--single-transaction", "--dbname"],
        [str(dump)],
    )


def filled_tables(url: str) -> list[str]:
    """Return the tables of a PostgreSQL database that hold rows, the schema's own note apart.

    Raises:
        StoreError: It cannot be read.
    """
    engine = create_engine(_driven(url))
    try:
        with engine.begin() as connection:
            rows = _describe(connection, "postgresql").rows
    except SQLAlchemyError as err:
        raise StoreError(
            f"{shown_address(url)} cannot be read ({err}). Expected a reachable database. "
            "Check the address."
        ) from err
    finally:
        engine.dispose()
    return [name for name, count in rows.items() if count and name != "alembic_version"]


def move_addresses(url: str, old: str, new: str) -> int:
    """Let every text that begins with one address begin with another, and count them.

    MLflow keeps the full address of each artifact; a copy elsewhere needs its own.

    Args:
        url: SQLAlchemy address of MLflow's database.
        old: Address of the folder the artifacts were in, without a slash at the end.
        new: Address of the folder they are in now.
    """
    if old == new:
        return 0
    engine = create_engine(_driven(url))
    try:
        with engine.begin() as connection:
            found = MetaData()
            found.reflect(connection)
            return sum(_move(connection, table, old, new) for table in found.sorted_tables)
    finally:
        engine.dispose()


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
    wait = float(BUSY_TIMEOUT_S)
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=wait)) as
        old,
        closing(sqlite3.connect(target)) as new,
    ):  # fmt: skip
        old.backup(new, pages=PAGES)
    as_one_file(target)
    return _look(target)


def _look(file: Path) -> DatabaseCopy:
    """Return what a SQLite file holds.

    Raises:
        sqlite3.DatabaseError: It is damaged.
    """
    with closing(sqlite3.connect(file)) as connection:
        (answer,) = connection.execute("PRAGMA integrity_check").fetchone()
        if answer != "ok":
            raise sqlite3.DatabaseError(f"integrity check: {answer}")
    engine = create_engine(f"sqlite:///{file}")
    try:
        with engine.connect() as connection:
            return _describe(connection, "sqlite")
    finally:
        engine.dispose()


def _dump(url: str, target: Path) -> DatabaseCopy:
    """Dump PostgreSQL in the very state that its rows are counted in."""
    program = _program("pg_dump")
    engine = create_engine(_driven(url), isolation_level="REPEATABLE READ")
    try:
        with engine.begin() as connection:
            snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
            found = _describe(connection, "postgresql")
            options = ["--format=custom", "--compress=0", "--no-owner", f"--snapshot={snapshot}"]
            _run(url, [program, *options, f"--file={target}", "--dbname"], [])
            return found
    finally:
        engine.dispose()


def _describe(connection: Connection, kind: Kind) -> DatabaseCopy:
    found = MetaData()
    # Names are enough to count, and SQLite's own odd types are not asked for.
    names = sorted(inspect(connection).get_table_names())
    rows = {
        name: int(
            connection.scalar(select(func.count()).select_from(Table(name, found))) or 0
        )
        for name in names
    }  # fmt: skip
    noted = "alembic_version" in rows
    revision = connection.scalar(text("SELECT version_num FROM alembic_version")) if noted else ""
    return DatabaseCopy(kind, str(revision or ""), rows)


def _driven(url: str) -> URL:
    address = make_url(url)
    return (
        address.set(drivername="postgresql+psycopg")
        if address.get_backend_name() == "postgresql"
        else address
    )


def _program(name: str) -> str:
    if (path := shutil.which(name)) is None:
        raise StoreError(
            f"The program {name} was not found on PATH. Expected PostgreSQL's client programs, of "
            "the server's version or newer. On Debian: apt-get install postgresql-client"
        )
    return path


def _run(url: str, command: list[str], rest: list[str]) -> None:
    """Run a program of PostgreSQL; the password goes by the environment, never by arguments."""
    address = make_url(url)
    variables = dict(os.environ)
    if address.password:
        variables["PGPASSWORD"] = str(address.password)
    shown = address.set(drivername="postgresql", password=None)
    words = [*command, shown.render_as_string(hide_password=False), *rest]
    # The program is PostgreSQL's own and no shell is asked.
    answer = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)  # noqa: S603
    if answer.returncode != 0:
        raise StoreError(
            f"{Path(command[0]).name} failed on {shown_address(url)}: {answer.stderr.strip()} "
            "Expected a reachable server, not newer than the program. Check the address, or "
            "install the client programs of the server's version."
        )
