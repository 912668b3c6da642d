"""Bulk statements: stage, look up and insert many rows within one transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pandas as pd
import psycopg
from psycopg import sql
from sqlalchemy import ColumnElement, Connection, Insert, Table, column, literal, select, table
from sqlalchemy.dialects import postgresql, sqlite

from store.schema.frames import driver_rows, frame_of
from store.schema.tables import natural_key

_STAGE: Final = "staged_rows"
"""The temporary table; it is dropped at the end of the block that fills it."""


def insert_statement(target: Table, dialect: str) -> Insert:
    """Return an INSERT that skips rows whose natural key is stored."""
    key = natural_key(target)
    if dialect == "postgresql":
        return postgresql.insert(target).on_conflict_do_nothing(index_elements=key)
    return sqlite.insert(target).on_conflict_do_nothing(index_elements=key)


def insert_rows(connection: Connection, target: Table, frame: pd.DataFrame) -> None:
    """Insert the rows of a frame with the table's columns; rows of a stored key are skipped."""
    names = list(frame.columns)
    statement = insert_statement(target, connection.dialect.name)
    if connection.dialect.name == "sqlite":
        template = statement.values(dict.fromkeys(names))
        compiled = template.compile(dialect=connection.dialect, column_keys=names)
        connection.exec_driver_sql(str(compiled), driver_rows(frame))
        return
    with _staged(connection, target, frame):
        listed: list[ColumnElement[Any]] = [column(name) for name in names]
        source = select(*listed).select_from(table(_STAGE))
        connection.execute(statement.from_select(names, source))


def stored_like(
    connection: Connection, target: Table, frame: pd.DataFrame, *, wanted: Sequence[str]
) -> pd.DataFrame:
    """Fetch the stored rows that equal any row of ``frame`` in all of its columns.

    The columns are the first ones of the table's key, or nearly so: rows are found by index.

    Args:
        connection: within the write transaction.
        target: table to look into.
        frame: distinct values to look for, by column.
        wanted: names of the columns to return.
    """
    columns = [target.columns[name] for name in wanted]
    if frame.empty or _is_empty(connection, target):
        return frame_of(None, columns)
    listed = ", ".join(f"t.{name}" for name in wanted)
    same = " AND ".join(f"t.{name} = s.{name}" for name in frame.columns)
    with _staged(connection, target, frame):
        # CROSS makes SQLite look up the staged rows in the table, not the other way round.
        query = f"SELECT {listed} FROM {_STAGE} AS s CROSS JOIN {target.name} AS t WHERE {same}"  # noqa: S608
        return frame_of(connection.exec_driver_sql(query), columns)


def _is_empty(connection: Connection, target: Table) -> bool:
    return connection.execute(select(literal(1)).select_from(target).limit(1)).first() is None


@contextmanager
def _staged(connection: Connection, target: Table, frame: pd.DataFrame) -> Iterator[None]:
    """Hold a frame in a temporary table with the column types of ``target``."""
    names = list(frame.columns)
    listed = ", ".join(names)
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {_STAGE} AS "  # noqa: S608  # names of our own tables
        f"SELECT {listed} FROM {target.name} WHERE 1 = 0"
    )
    if connection.dialect.name == "postgresql":
        _copy(connection, names, frame)
    else:
        marks = ", ".join("?" for _ in names)
        connection.exec_driver_sql(
            f"INSERT INTO {_STAGE} VALUES ({marks})",  # noqa: S608  # a literal name
            driver_rows(frame),
        )
    yield
    connection.exec_driver_sql(f"DROP TABLE {_STAGE}")


def _copy(connection: Connection, names: Sequence[str], frame: pd.DataFrame) -> None:
    """Load the temporary table by COPY and update the planner's statistics."""
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(_STAGE), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101  # the one driver we open with
    with driver.cursor() as cursor, cursor.copy(into) as copy:
        for row in driver_rows(frame):
            copy.write_row(row)
    connection.exec_driver_sql(f"ANALYZE {_STAGE}")
