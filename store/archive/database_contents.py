"""What a database is and holds: its kind, its schema revision and the rows of its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import (
    URL,
    Connection,
    MetaData,
    Table,
    func,
    inspect,
    make_url,
    select,
    text,
)

from store.database import shown_address
from store.errors import StoreError

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


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite address, None for any other or for one in memory."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or address.database in {None, "", ":memory:"}:
        return None
    return Path(str(address.database))


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


def with_driver(url: str) -> URL:
    """Return an address with the installed driver of PostgreSQL."""
    address = make_url(url)
    return (
        address.set(drivername="postgresql+psycopg")
        if address.get_backend_name() == "postgresql"
        else address
    )
