"""What a database is and holds, and dumps of PostgreSQL by pg_dump and pg_restore."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import (
    Connection,
    MetaData,
    Table,
    create_engine,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import SQLAlchemyError

from store.database import shown_address
from store.errors import StoreError
from store.sqlite_files import sqlite_file

Kind = Literal["sqlite", "postgresql"]


@dataclass(frozen=True, slots=True)
class DatabaseCopy:
    """What a copy of a database holds."""

    kind: Kind
    revision: str
    """Of the schema; empty where none is recorded."""
    rows: Mapping[str, int]
    """Number of rows by table."""


def kind_of(url: str) -> Kind:
    """Return the kind of database at an address.

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


def describe(connection: Connection, kind: Kind) -> DatabaseCopy:
    """Count the rows of every table."""
    found = MetaData()
    # Names are enough to count rows; column types are not needed.
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


@contextmanager
def connected(url: str, *, isolation_level: IsolationLevel | None = None) -> Iterator[Connection]:
    """Open one transaction on a database, with the installed driver of PostgreSQL."""
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    engine = create_engine(address, isolation_level=isolation_level)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


_OWN_FUNCTIONS: Final = """
SELECT oid::regprocedure::text FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""
"""Functions of the schema that no extension brought, such as the audit trail's guard."""


def load_postgres(url: str, dump: Path) -> None:
    """Replace all tables and functions of a PostgreSQL database with those of a dump.

    Raises:
        StoreError: ``pg_restore`` is missing or fails; the database may then hold no tables.
    """
    program = _program("pg_restore")
    try:
        with connected(url) as connection:
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
    _run(
        url,
        [program, "--no-owner", "--exit-on-error", "--single-transaction", "--dbname"],
        [str(dump)],
    )


def filled_tables(url: str) -> list[str]:
    """Return the tables of a PostgreSQL database that hold rows, except Alembic's own.

    Raises:
        StoreError: It cannot be read.
    """
    try:
        with connected(url) as connection:
            rows = describe(connection, "postgresql").rows
    except SQLAlchemyError as err:
        raise StoreError(
            f"{shown_address(url)} cannot be read ({err}). Expected a reachable database. "
            "Check the address."
        ) from err
    return [name for name, count in rows.items() if count and name != "alembic_version"]


def dump(url: str, target: Path) -> DatabaseCopy:
    """Dump PostgreSQL in the same snapshot that its rows are counted in."""
    program = _program("pg_dump")
    with connected(url, isolation_level="REPEATABLE READ") as connection:
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        found = describe(connection, "postgresql")
        options = ["--format=custom", "--compress=0", "--no-owner", f"--snapshot={snapshot}"]
        _run(url, [program, *options, f"--file={target}", "--dbname"], [])
        return found


def _program(name: str) -> str:
    if (path := shutil.which(name)) is None:
        raise StoreError(
            f"The program {name} was not found on PATH. Expected PostgreSQL's client programs, of "
            "the server's version or newer. On Debian: apt-get install postgresql-client"
        )
    return path


def _run(url: str, command: list[str], rest: list[str]) -> None:
    """Run a PostgreSQL program; the password is passed in the environment, not as an argument."""
    address = make_url(url)
    variables = dict(os.environ)
    if address.password:
        variables["PGPASSWORD"] = str(address.password)
    shown = address.set(drivername="postgresql", password=None)
    words = [*command, shown.render_as_string(hide_password=False), *rest]
    # The program is PostgreSQL's own and no shell is used.
    answer = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)  # noqa: S603
    if answer.returncode != 0:
        raise StoreError(
            f"{Path(command[0]).name} failed on {shown_address(url)}: {answer.stderr.strip()} "
            "Expected a reachable server, not newer than the program. Check the address, or "
            "install the client programs of the server's version."
        )
