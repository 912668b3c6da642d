"""Change marks: cheap numbers that change with every relevant write to the store."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

Mark = tuple[int, ...]


def mark_of(connection: Connection, counted: Sequence[ColumnElement[Any]]) -> Mark:
    """Return the value of each expression, 0 where its table is empty.

    Args:
        connection: Within a transaction.
        counted: Counts, sums or greatest ids of tables that only grow.
    """
    parts = [select(func.coalesce(value, 0)).scalar_subquery() for value in counted]
    return tuple(connection.execute(select(*parts)).one())
