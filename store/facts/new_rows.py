"""Bitemporal upsert: which incoming rows are new, repeat a stored row or contradict one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from sqlalchemy import Column, Connection, Table, func, select

from store.errors import SHOWN, DataError, first_few
from store.schema import database_tables as tables
from store.schema.frames import driver_rows, frame_of

WAITED: Final = timedelta(minutes=1)
"""How long a write may have waited for another since it read the clock."""


def check_clock(connection: Connection, moment: Column[Any], at: datetime) -> None:
    """Refuse a write by a clock that was set back: it would claim to have known things earlier.

    Raises:
        DataError: The table has a row from later, by more than ``WAITED``.
    """
    newest = connection.scalar(select(func.max(moment)))
    if newest is None or newest <= at + WAITED:
        return
    raise DataError(
        f"This machine's clock reads {at:%Y-%m-%d %H:%M:%S} UTC, and the newest row of "
        f"{moment.table.name} is of {newest:%Y-%m-%d %H:%M:%S} UTC. Expected a clock that only "
        "goes forward; nothing was written. Set the clock; if it is right now and was ahead "
        "then, restore a backup from before (`magnetcast restore`)."
    )


_STAGE: Final = "staged_rows"
"""The temporary table; it is dropped at the end of the block that fills it."""


def insert_rows(connection: Connection, target: Table, frame: pd.DataFrame) -> None:
    """Insert the rows of a frame with the table's columns; rows of a stored key are skipped."""
    names = ", ".join(frame.columns)
    with _staged(connection, target, frame):
        connection.exec_driver_sql(
            f"INSERT INTO {target.name} ({names}) SELECT {names} FROM {_STAGE} WHERE true "  # noqa: S608
            "ON CONFLICT DO NOTHING"
        )


def stored_like(
    connection: Connection, target: Table, frame: pd.DataFrame, *, wanted: Sequence[str]
) -> pd.DataFrame:
    """Fetch the stored rows that equal any row of ``frame`` in all of its columns.

    The columns are the first ones of the table's key, or nearly so: rows are found by index.

    Args:
        frame: distinct values to look for, by column.
        wanted: names of the columns to return.
    """
    columns = ", ".join(f"t.{name}" for name in wanted)
    same = " AND ".join(f"t.{name} = s.{name}" for name in frame.columns)
    with _staged(connection, target, frame):
        # CROSS makes SQLite look up the staged rows in the table, not the other way round.
        query = f"SELECT {columns} FROM {_STAGE} AS s CROSS JOIN {target.name} AS t WHERE {same}"  # noqa: S608
        result = connection.exec_driver_sql(query)
        return frame_of(result, [target.columns[name] for name in wanted])


@contextmanager
def _staged(connection: Connection, target: Table, frame: pd.DataFrame) -> Iterator[None]:
    run, names = connection.exec_driver_sql, ", ".join(frame.columns)
    run(f"CREATE TEMPORARY TABLE {_STAGE} AS SELECT {names} FROM {target.name} WHERE 1 = 0")  # noqa: S608  # names of our own tables
    rows = driver_rows(frame)
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {_STAGE} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        run(f"ANALYZE {_STAGE}")
    elif rows:
        run(f"INSERT INTO {_STAGE} VALUES ({', '.join('?' for _ in frame.columns)})", rows)  # noqa: S608
    yield
    run(f"DROP TABLE {_STAGE}")


SAME: Final = 1e-9
"""Relative difference below which two numbers are one number computed twice."""

Flags: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.bool_]]"


@dataclass(frozen=True, slots=True)
class IncomingRows:
    """Rows for one table, and where they come from."""

    table: Table
    rows: pd.DataFrame
    where: str
    """File or step to name in an error."""


def drop_duplicate_rows(incoming: IncomingRows) -> IncomingRows:
    """Drop rows that repeat another of the same key; a ``DataError`` if two of one key disagree."""
    key = list(tables.natural_key(incoming.table))
    again = incoming.rows.duplicated(key)
    if again.any():
        _refuse_clashes(replace(incoming, rows=incoming.rows[again]), incoming.rows[~again])
    return replace(incoming, rows=incoming.rows[~again].reset_index(drop=True))


def new_rows(incoming: IncomingRows, stored: pd.DataFrame) -> pd.DataFrame:
    """The rows whose key is not stored yet.

    Args:
        incoming: rows, each key once.
        stored: the stored rows of these keys, perhaps others too.

    Raises:
        DataError: a row contradicts the stored row of its key.
    """
    is_stored = _refuse_clashes(incoming, stored)
    return incoming.rows[~is_stored]


def repeats(incoming: IncomingRows, stored: pd.DataFrame, *, on: Sequence[str]) -> bool:
    """Whether rows, matched by ``on``, are the stored ones again, numbers within ``SAME``."""
    if len(incoming.rows) != len(stored):
        return False
    _, is_stored, differs = _matched(incoming, stored, on=on)
    return bool(is_stored.all() and not differs.to_numpy().any())


def new_versions(
    incoming: IncomingRows, stored: pd.DataFrame, *, revised_at: datetime
) -> pd.DataFrame:
    """The rows that change the value of their cell, or the wording of an event.

    A row is left out if it repeats the version before it, or if it repeats the newest stored
    version and is dated no later.

    Args:
        incoming: rows, each key once.
        revised_at: date given to a cell's last row where it differs from the newest stored version
            but is not dated later: the provider changed a figure and did not say when.

    Raises:
        DataError: a row contradicts the stored row of its key.
    """
    table, moment = incoming.table, incoming.rows[tables.MOMENT]
    cell = list(tables.cell_of(table))
    newest = stored.sort_values(tables.MOMENT, kind="stable").drop_duplicates(cell, keep="last")
    pairs, is_stored, differs = _matched(
        incoming, newest, on=cell, columns=tables.version_columns(table)
    )
    no_later = is_stored & (moment.to_numpy() <= pairs[tables.MOMENT].to_numpy())
    is_last = ~incoming.rows.sort_values(tables.MOMENT, kind="stable").duplicated(cell, keep="last")
    silent = no_later & differs.any(axis=1) & is_last & pairs[tables.MOMENT].lt(revised_at)
    moments = moment.mask(silent, pd.Timestamp(revised_at))
    dated = replace(incoming, rows=incoming.rows.assign(**{tables.MOMENT: moments}))
    unchanged = no_later & ~differs.any(axis=1)
    remaining = replace(dated, rows=new_rows(dated, stored))
    return remaining.rows[~_repeats_previous(remaining, stored) & ~unchanged[remaining.rows.index]]


def _repeats_previous(incoming: IncomingRows, stored: pd.DataFrame) -> Flags:
    cell, values = (
        list(tables.cell_of(incoming.table)),
        list(tables.version_columns(incoming.table)),
    )
    versions = pd.concat([stored, incoming.rows], ignore_index=True)[
        [*cell, tables.MOMENT, *values]
    ]
    versions["cell"] = versions.groupby(cell, sort=False).ngroup()
    versions = versions.sort_values(["cell", tables.MOMENT], kind="stable")
    before = versions.shift()
    same = ~_differing(versions, before, values).any(axis=1)
    repeats = pd.Series(
        same & (versions["cell"] == before["cell"]).to_numpy(), index=versions.index
    )
    return repeats.sort_index().to_numpy()[len(stored) :]


def _matched(
    incoming: IncomingRows,
    stored: pd.DataFrame,
    *,
    on: Sequence[str],
    columns: Sequence[str] | None = None,
) -> tuple[pd.DataFrame, Flags, pd.DataFrame]:
    """Stored row with the same ``on`` for each incoming row, whether it exists, differences."""
    columns = list(tables.value_columns(incoming.table) if columns is None else columns)
    names = incoming.rows[list(on)]
    rows = names.merge(stored, on=list(on), how="left", indicator=True, validate="many_to_one")
    rows.index = incoming.rows.index
    return rows, (rows["_merge"] == "both").to_numpy(), _differing(rows, incoming.rows, columns)


def _differing(earlier: pd.DataFrame, later: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Flag, by column, the lines in which two frames differ; an absent column counts as empty."""
    columns = {name: (_column(earlier, name), _column(later, name)) for name in names}
    flags = {name: ~_same(left, other) for name, (left, other) in columns.items()}
    return pd.DataFrame(flags, index=later.index)


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return frame[name] if name in frame else pd.Series(None, index=frame.index, dtype=object)


def _same(first: pd.Series, second: pd.Series) -> Flags:
    missing = first.isna() & second.isna()
    if pd.api.types.is_float_dtype(first) and pd.api.types.is_float_dtype(second):
        a, b = first.to_numpy(), second.to_numpy()
        equal = np.abs(a - b) <= SAME * np.maximum(np.abs(a), np.abs(b))
    else:
        equal = first.astype(object).to_numpy() == second.astype(object).to_numpy()
    return np.asarray(missing.to_numpy() | equal, dtype=np.bool_)


def _refuse_clashes(incoming: IncomingRows, stored: pd.DataFrame) -> Flags:
    """Flag the rows whose key is stored, and refuse those that contradict it."""
    key = tables.natural_key(incoming.table)
    rows, is_stored, differs = _matched(incoming, stored, on=key)
    clashing = np.flatnonzero(is_stored & differs.any(axis=1).to_numpy())
    if len(clashing):
        shown = [
            _clash(key, rows.iloc[line], incoming.rows.iloc[line], differs.iloc[line])
            for line in clashing[: SHOWN + 1]
        ]
        raise DataError(
            f"Rows of {incoming.table.name} contradict rows already stored, in {incoming.where}: "
            f"{first_few(shown, total=len(clashing))}. "
            "Expected one value per key that never changes. A revision is a new row: give it the "
            "day it became known. Nothing was written."
        )
    return is_stored


def _clash(
    key: Sequence[str], earlier: pd.Series, later: pd.Series, differs: "pd.Series[bool]"
) -> str:
    named = ", ".join(f"{name}={_plain(later[name])}" for name in key)
    differing = [
        f"{name} {_plain(earlier.get(name))} against {_plain(later.get(name))}"
        for name in differs.index[differs.to_numpy()]
    ]
    return f"{named}: {', '.join(differing)}"


def _plain(value: object) -> str:
    return value.date().isoformat() if isinstance(value, datetime) else str(value)
