"""The cells that guards check, one number per series and month, and the wording of objections."""

from collections.abc import Iterable
from typing import Final

import pandas as pd

from store.errors import first_few
from store.facts.batch import FileRows
from store.vocabulary import UNITS

LEVELS: Final = tuple(
    name for name, unit in UNITS.items() if unit != "pct" and name != "lead_min_t"
)
"""Measures that are amounts, so that months can be compared and summed."""

SERIES: Final = ["source", "commodity", "origin", "destination", "measure"]
"""Columns that name a series of a source."""

CELL: Final = [*SERIES, "period_from"]
"""Columns that name one amount."""

SAME: Final = 1e-9
"""Difference below which two amounts are equal."""

FINEST: Final = {"t": 0.0005, "musd": 5e-7, "meur": 5e-7}
"""Half a kilogram, half a dollar: no customs office reports more digits."""


def reason(what: str, file: FileRows, *, expected: str, remedy: str) -> str:
    """Return an objection: what is wrong, where, what was expected and what to do."""
    return f"{what}, in {file.file_name} of {file.source}. Expected {expected}. {remedy}"


def objection(
    what: str, shown: Iterable[str], file: FileRows, *, expected: str, remedy: str
) -> list[str]:
    """Return the objection to some rows, the first few of which are named; none without rows."""
    if not (names := list(shown)):
        return []
    return [reason(f"{what}: {listed(names)}", file, expected=expected, remedy=remedy)]


def listed(items: Iterable[str]) -> str:
    """Return the first few of some names in order, with the total count."""
    return first_few(sorted(items))


def places(rows: pd.DataFrame) -> list[str]:
    """Describe cells of a weight: destination, month, tonnes."""
    named = rows[["destination", "period_from", "value"]].itertuples(index=False)
    return [f"{row.destination} {row.period_from:%Y-%m} {row.value:,.0f} t" for row in named]


def month_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the usable reported amounts of single months, one row per cell: the newest version.

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


def mark_new(known: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the new cells with ``is_new``: false where the store holds the same amount."""
    before = known[[*CELL, "value"]].rename(columns={"value": "before"})
    rows = new.merge(before, on=CELL, how="left")
    return rows.assign(is_new=~(rows["value"] - rows["before"]).abs().lt(SAME)).drop(
        columns="before"
    )


def merged_cells(known: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the known cells, replaced by the new marked ones where there are any."""
    rows = pd.concat([known.assign(is_new=False), new], ignore_index=True)
    return rows.drop_duplicates(CELL, keep="last", ignore_index=True)


def with_new_cells(cells: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Return the groups with any new cell; what is stored already is not checked again."""
    return cells[cells.groupby(key)["is_new"].transform("any").astype(bool)]


def is_exact(cells: pd.DataFrame) -> pd.Series:
    """Return which cells have so many digits that a repetition is not due to rounding."""
    finest = cells["half_width"].clip(lower=cells["unit"].map(FINEST))
    return cells["value"] >= STEPS * finest


STEPS: Final = 100.0
"""Half rounding steps that an amount must reach to count as exact."""
