"""Cheap marks of a state of the store: numbers that change with every write that matters."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

Mark = tuple[int, ...]


def mark_of(connection: Connection, counted: Sequence[ColumnElement[Any]]) -> Mark:
    """Return what each expression comes to, 0 where its table is empty.

    Args:
        connection: Within a transaction.
        counted: Counts, sums or greatest ids of tables that only grow.
    """
    parts = [select(func.coalesce(value, 0)).scalar_subquery() for value in counted]
    return tuple(connection.execute(select(*parts)).one())
