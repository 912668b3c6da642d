"""What of the rows at hand is news: neither stored, nor said before, nor a contradiction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

import numpy as np
import pandas as pd
from sqlalchemy import Table

from store.errors import SHOWN, DataError, first_few
from store.schema.tables import MOMENT, cell_of, natural_key, stated_columns

SAME: Final = 1e-9
"""Relative difference below which two numbers are one number computed twice."""

Flags: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.bool_]]"


@dataclass(frozen=True, slots=True)
class IncomingRows:
    """Rows at hand for one table, and where they come from."""

    table: Table
    rows: pd.DataFrame
    where: str
    """File or step to name in an error."""

    def with_rows(self, rows: pd.DataFrame) -> "IncomingRows":
        """Return the same with other rows."""
        return IncomingRows(self.table, rows, self.where)


def told_once(told: IncomingRows) -> IncomingRows:
    """Leave out rows told twice.

    Raises:
        DataError: two rows of one key disagree.
    """
    key = list(natural_key(told.table))
    again = told.rows.duplicated(key)
    if again.any():
        _refuse_clashes(told.with_rows(told.rows[again]), told.rows[~again])
    return told.with_rows(told.rows[~again].reset_index(drop=True))


def unstored(told: IncomingRows, stored: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose key is not stored yet.

    Args:
        told: rows, each key once.
        stored: the stored rows of these keys, perhaps others too.

    Raises:
        DataError: a row says other than the stored row of its key.
    """
    known = _refuse_clashes(told, stored)
    return told.rows[~known]


def news(told: IncomingRows, stored: pd.DataFrame, *, revised_at: datetime | None) -> pd.DataFrame:
    """Return the rows that say something new of their cell.

    A row is no news if it says what the version before it says, or what the newest stored
    version says although it is dated no later.

    Args:
        told: rows, each key once.
        stored: all stored versions of these cells.
        revised_at: moment that counts for a cell's last row where it differs from the newest
            stored version without being dated later: the provider changed a figure and did not
            say when. None leaves such a row as it is.

    Raises:
        DataError: a row says other than the stored row of its key.
    """
    newest = _newest(told.table, stored)
    rows = told.rows if revised_at is None else _redated(told, newest, pd.Timestamp(revised_at))
    told = told.with_rows(rows)
    left = told.with_rows(unstored(told, stored))
    return left.rows[~_repeats(left, stored) & ~_retells(left, newest)]


def _newest(table: Table, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the newest version of each cell."""
    return rows.sort_values(MOMENT, kind="stable").drop_duplicates(cell_of(table), keep="last")


def _redated(told: IncomingRows, newest: pd.DataFrame, revised_at: pd.Timestamp) -> pd.DataFrame:
    """Date the silent revisions among the rows: last of their cell, different, not later."""
    beside = _beside(told, newest, on=cell_of(told.table))
    last = ~told.rows.sort_values(MOMENT, kind="stable").duplicated(
        cell_of(told.table), keep="last"
    )
    moment = told.rows[MOMENT]
    silent = (
        beside.found
        & beside.differs.any(axis=1)
        & last.reindex(told.rows.index).to_numpy()
        & (moment.to_numpy() <= beside.rows[MOMENT].to_numpy())
        & (beside.rows[MOMENT] < revised_at).to_numpy()
    )
    return told.rows.assign(**{MOMENT: moment.mask(silent, revised_at)})


def _retells(told: IncomingRows, newest: pd.DataFrame) -> Flags:
    """Flag rows that say what the newest stored version says and are dated no later."""
    beside = _beside(told, newest, on=cell_of(told.table))
    earlier = told.rows[MOMENT].to_numpy() <= beside.rows[MOMENT].to_numpy()
    return beside.found & ~beside.differs.any(axis=1).to_numpy() & earlier


def _repeats(told: IncomingRows, stored: pd.DataFrame) -> Flags:
    """Flag rows that say what the version before them says, stored or at hand."""
    cell, stated = list(cell_of(told.table)), list(stated_columns(told.table))
    both = pd.concat([stored, told.rows], ignore_index=True)[[*cell, MOMENT, *stated]]
    both["cell"] = both.groupby(cell, sort=False).ngroup()
    both = both.sort_values(["cell", MOMENT], kind="stable")
    before = both.shift()
    same = ~_differing(both, before, stated).any(axis=1)
    repeats = pd.Series(same & (both["cell"] == before["cell"]).to_numpy(), index=both.index)
    return repeats.sort_index().to_numpy()[len(stored) :]


@dataclass(frozen=True, slots=True)
class _Beside:
    """Rows at hand with the stored ones of the same name, line by line."""

    rows: pd.DataFrame
    """The stored ones; empty lines where there is none."""
    found: Flags
    differs: pd.DataFrame


def _beside(told: IncomingRows, stored: pd.DataFrame, *, on: Sequence[str]) -> _Beside:
    """Put the stored row of the same name beside each row at hand."""
    stated = list(stated_columns(told.table))
    names = told.rows[list(on)]
    rows = names.merge(stored, on=list(on), how="left", indicator=True, validate="many_to_one")
    rows.index = told.rows.index
    found = (rows["_merge"] == "both").to_numpy()
    return _Beside(rows, found, _differing(rows, told.rows, stated))


def _differing(earlier: pd.DataFrame, later: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Flag, by column, the lines in which two tellings disagree; a column left out says nothing."""
    columns = {name: (_column(earlier, name), _column(later, name)) for name in names}
    flags = {name: ~_same(one, other) for name, (one, other) in columns.items()}
    return pd.DataFrame(flags, index=later.index)


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column, or one of nothing."""
    return frame[name] if name in frame else pd.Series(None, index=frame.index, dtype=object)


def _same(one: pd.Series, other: pd.Series) -> Flags:
    """Compare two columns line by line, numbers with a tolerance."""
    missing = one.isna() & other.isna()
    if pd.api.types.is_float_dtype(one) and pd.api.types.is_float_dtype(other):
        a, b = one.to_numpy(), other.to_numpy()
        equal = np.abs(a - b) <= SAME * np.maximum(np.abs(a), np.abs(b))
    else:
        equal = one.astype(object).to_numpy() == other.astype(object).to_numpy()
    return np.asarray(missing.to_numpy() | equal, dtype=np.bool_)


def _refuse_clashes(told: IncomingRows, stored: pd.DataFrame) -> Flags:
    """Flag the rows whose key is stored, and refuse those that contradict it."""
    key = natural_key(told.table)
    beside = _beside(told, stored, on=key)
    clashing = np.flatnonzero(beside.found & beside.differs.any(axis=1).to_numpy())
    if len(clashing):
        shown = [_clash(told, beside, line) for line in clashing[: SHOWN + 1]]
        raise DataError(
            f"Rows of {told.table.name} contradict rows already told, in {told.where}: "
            f"{first_few(shown, total=len(clashing))}. "
            "Expected one statement per key, for good. A revision is a new row: give it the day it "
            "became known. Nothing was written."
        )
    return beside.found


def _clash(told: IncomingRows, beside: _Beside, line: int) -> str:
    """Word one contradiction."""
    earlier, later = beside.rows.iloc[line], told.rows.iloc[line]
    named = ", ".join(f"{name}={_plain(later[name])}" for name in natural_key(told.table))
    flags = beside.differs.iloc[line]
    differing = [
        f"{name} {_value(earlier.get(name))} against {_value(later.get(name))}"
        for name in flags.index[flags.to_numpy()]
    ]
    return f"{named}: {', '.join(differing)}"


def _plain(value: object) -> str:
    """Print a key's value without Python's decoration."""
    return value.date().isoformat() if isinstance(value, datetime) else str(value)


def _value(value: object) -> str:
    """Print a stated value."""
    if isinstance(value, datetime):
        return _plain(value)
    plain = value.item() if isinstance(value, np.generic) else value
    return "nothing" if plain is None or plain != plain else repr(plain)  # noqa: PLR0124
