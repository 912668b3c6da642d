"""What the guards look at, one number per series and month, and how they word objections."""

from collections.abc import Iterable
from typing import Final

import pandas as pd

from store.errors import first_few
from store.facts.batch import FileRows
from store.vocabulary import UNITS

LEVELS: Final = tuple(
    name for name, unit in UNITS.items() if unit != "pct" and name != "lead_min_t"
)
"""Measures that are amounts, so that months can be compared and added."""

SERIES: Final = ["source", "commodity", "origin", "destination", "measure"]
"""Columns that name a series of a source."""

CELL: Final = [*SERIES, "period_from"]
"""Columns that name one amount."""

SAME: Final = 1e-9
"""Difference below which two amounts are one."""

FINEST: Final = {"t": 0.0005, "musd": 5e-7, "meur": 5e-7}
"""Half a kilogram, half a dollar: no customs count finer."""


def reason(what: str, file: FileRows, *, expected: str, remedy: str) -> str:
    """Word an objection: what is wrong, where, what was expected and what to do."""
    return f"{what}, in {file.file_name} of {file.source}. Expected {expected}. {remedy}"


def listed(items: Iterable[str]) -> str:
    """List the first few of some sorted names and say how many there are."""
    return first_few(sorted(items))


def places(rows: pd.DataFrame) -> list[str]:
    """Word cells of a weight: destination, month, tonnes."""
    named = rows[["destination", "period_from", "value"]].itertuples(index=False)
    return [f"{row.destination} {row.period_from:%Y-%m} {row.value:,.0f} t" for row in named]


def month_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the amounts of single months that count, one row a cell: the newest known.

    Args:
        frame: observations; not modified.
    """
    wanted = (
        frame["measure"].isin(LEVELS)
        & frame["usable"]
        & frame["kind"].eq("reported")
        & frame["period_from"].eq(frame["period_to"])
    )
    rows = frame.loc[wanted].sort_values("available_at", kind="stable")
    return rows.drop_duplicates(CELL, keep="last", ignore_index=True)


def marked(known: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the new cells with a column ``is_news``: whether the store knows this very amount."""
    before = known[[*CELL, "value"]].rename(columns={"value": "before"})
    rows = new.merge(before, on=CELL, how="left")
    return rows.assign(is_news=~(rows["value"] - rows["before"]).abs().lt(SAME)).drop(
        columns="before"
    )


def together(known: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the known cells with the new ones, marked, in their place."""
    rows = pd.concat([known.assign(is_news=False), new], ignore_index=True)
    return rows.drop_duplicates(CELL, keep="last", ignore_index=True)


def with_news(cells: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Return the groups of marked cells in which anything is news; what is taken is not judged."""
    return cells[cells.groupby(key)["is_news"].transform("any").astype(bool)]


def is_exact(cells: pd.DataFrame) -> pd.Series:
    """Tell which cells have so many digits that a repetition is no accident of rounding."""
    finest = cells["half_width"].clip(lower=cells["unit"].map(FINEST))
    return cells["value"] >= STEPS * finest


STEPS: Final = 100.0
"""Half steps of rounding an amount must be large to be called exact."""
