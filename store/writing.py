"""Writing rows: all of a batch or none, each row once, no row ever changed."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection, Engine, Insert, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from store.batch import Batch, FileRows, WriteReport
from store.database import writing
from store.errors import DataError, StoreError, first_few
from store.frames import Scalar, records_of
from store.schemas import validate
from store.tables import metadata, natural_key, stated_columns, vintages

SAME: Final = 1e-9
"""Relative difference below which two numbers are one number computed twice."""

_CHUNK: Final = 5_000
"""Rows an INSERT carries at once."""

Key = tuple[Scalar, ...]
Record = dict[str, Scalar]


def write_batch(
    engine: Engine, batch: Batch, *, ingested_at: datetime | None = None
) -> WriteReport:
    """Write a batch and one vintage row per file, in one transaction.

    A file whose very bytes were ingested before is passed over. Rows already in the store are
    left as they are; a row that contradicts one in the store stops the whole batch.

    Args:
        engine: an opened store.
        batch: rows as the sources made them; not modified.
        ingested_at: moment to note in the vintages, if the caller has a clock.

    Returns:
        New rows by table, and the files known before.

    Raises:
        DataError: a row breaks its schema, or says other than the stored row of the same key.
    """
    checked = [(file, _checked(file)) for file in batch.files]
    with writing(engine) as connection:
        known = _known_files(connection)
        fresh = [pair for pair in checked if _identity(pair[0]) not in known]
        written: dict[str, int] = {}
        for file, tables in fresh:
            for name, frame in tables.items():
                new = insert_new(connection, metadata.tables[name], frame, where=file.file_name)
                written[name] = written.get(name, 0) + new
            insert_new(connection, vintages, _vintage(file, ingested_at), where=file.file_name)
    passed = tuple(f.file_name for f in batch.files if _identity(f) in known)
    return WriteReport(
        rows_written=written, known_files=passed, already_known=len(passed) == len(batch.files)
    )


def insert_new(connection: Connection, table: Table, frame: pd.DataFrame, *, where: str) -> int:
    """Insert the rows whose natural key is new and return how many there were.

    Raises:
        DataError: two rows of one key disagree, within the frame or with the store.
    """
    key = natural_key(table)
    new: dict[Key, Record] = {}
    stored = _stored(connection, table, frame)
    clashes = []
    for record in records_of(frame, table):
        name = tuple(record[column] for column in key)
        earlier = stored.get(name) or new.get(name)
        if earlier is None:
            new[name] = record
        elif differing := _differing(table, earlier, record):
            clashes.append(_clash(key, name, differing))
    if clashes:
        raise DataError(
            f"Rows of {table.name} contradict rows already told, in {where}: {first_few(clashes)}. "
            "Expected one statement per key, for good. A revision is a new row: give it the day it "
            "became known. Nothing was written."
        )
    _insert(connection, table, list(new.values()))
    return len(new)


def insert_statement(table: Table, dialect: str) -> Insert:
    """Return an INSERT that leaves rows of a known natural key alone."""
    key = natural_key(table)
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing(index_elements=key)
    return sqlite.insert(table).on_conflict_do_nothing(index_elements=key)


def _insert(connection: Connection, table: Table, records: list[Record]) -> None:
    """Insert records in chunks."""
    statement = insert_statement(table, connection.dialect.name)
    for start in range(0, len(records), _CHUNK):
        connection.execute(statement, records[start : start + _CHUNK])


def _stored(connection: Connection, table: Table, frame: pd.DataFrame) -> Mapping[Key, Record]:
    """Return the stored rows a frame could meet: those of its span of moments."""
    key, query = natural_key(table), select(table)
    moment = next((name for name in ("available_at", "as_of") if name in key), None)
    if moment and len(frame):
        column, moments = table.columns[moment], frame[moment]
        query = query.where(column.between(moments.min(), moments.max()))
    rows = (dict(row) for row in connection.execute(query).mappings())
    return {tuple(row[column] for column in key): row for row in rows}


def _differing(table: Table, earlier: Record, later: Record) -> list[str]:
    """Word the columns in which two tellings of one row disagree."""
    return [
        f"{name} {earlier.get(name)!r} against {later.get(name)!r}"
        for name in stated_columns(table)
        if not _same(earlier.get(name), later.get(name))
    ]


def _same(one: Scalar, other: Scalar) -> bool:
    """Compare two values, numbers with a tolerance."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= SAME * max(abs(one), abs(other))
    return one == other


def _clash(key: Iterable[str], name: Key, differing: list[str]) -> str:
    """Word one contradiction."""
    named = ", ".join(f"{column}={_plain(value)}" for column, value in zip(key, name, strict=True))
    return f"{named}: {', '.join(differing)}"


def _plain(value: Scalar) -> str:
    """Print a key's value without Python's decoration."""
    return value.date().isoformat() if isinstance(value, datetime) else str(value)


def _checked(file: FileRows) -> dict[str, pd.DataFrame]:
    """Check every table of a file against its schema."""
    unknown = sorted(set(file.tables) - set(metadata.tables))
    if unknown:
        raise StoreError(f"No table {unknown} in the store; the file {file.file_name} asks for it.")
    return {n: validate(frame, n, where=file.file_name) for n, frame in file.tables.items()}


def _identity(file: FileRows) -> tuple[str, str, str]:
    """Return what makes a file the same file."""
    return file.source, file.file_name, file.sha256


def _known_files(connection: Connection) -> set[tuple[str, str, str]]:
    """Return the identities of all files ingested so far."""
    query = select(vintages.c.source, vintages.c.file_name, vintages.c.sha256)
    return {(source, name, digest) for source, name, digest in connection.execute(query)}


def _vintage(file: FileRows, ingested_at: datetime | None) -> pd.DataFrame:
    """Build the vintage row of a file."""
    moments = pd.concat([frame["available_at"] for frame in file.tables.values()])
    return pd.DataFrame(
        {
            "source": [file.source],
            "file_name": [file.file_name],
            "sha256": [file.sha256],
            "rows": [len(moments)],
            "first_available_at": [moments.min()],
            "last_available_at": [moments.max()],
            "ingested_at": [pd.Timestamp(ingested_at) if ingested_at else pd.NaT],
        }
    )
