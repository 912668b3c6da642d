"""What the guards look at, one number per series and month, and how they word objections."""

from typing import Final

import pandas as pd

from store.batch import FileRows
from store.errors import first_few
from store.vocabulary import UNITS

LEVELS: Final = tuple(
    name for name, unit in UNITS.items() if unit != "pct" and name != "lead_min_t"
)
"""Measures that are amounts, so that months can be compared and added."""

SERIES: Final = ["source", "commodity", "origin", "destination", "measure"]
"""Columns that name a series of a source."""

FINEST: Final = {"t": 0.0005, "musd": 5e-7, "meur": 5e-7}
"""Half a kilogram, half a dollar: no customs count finer."""


def reason(what: str, file: FileRows, *, expected: str, remedy: str) -> str:
    """Word an objection: what is wrong, where, what was expected and what to do."""
    return f"{what}, in {file.file_name} of {file.source}. Expected {expected}. {remedy}"


def listed(items: list[str]) -> str:
    """List the first few of some sorted names and say how many there are."""
    return first_few(sorted(items))


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
    return rows.drop_duplicates([*SERIES, "period_from"], keep="last", ignore_index=True)


def together(known: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the known cells with the new ones in their place; ``is_news`` marks what changes."""
    key = [*SERIES, "period_from"]
    before = known[[*key, "value"]].rename(columns={"value": "before"})
    marked = new.merge(before, on=key, how="left")
    marked["is_news"] = ~(marked["value"] - marked.pop("before")).abs().lt(1e-9)
    rows = pd.concat([known.assign(is_news=False), marked], ignore_index=True)
    return rows.drop_duplicates(key, keep="last", ignore_index=True)


def is_exact(cells: pd.DataFrame) -> pd.Series:
    """Tell which cells have so many digits that a repetition is no accident of rounding."""
    finest = cells["half_width"].clip(lower=cells["unit"].map(FINEST))
    return cells["value"] >= STEPS * finest


STEPS: Final = 100.0
"""Half steps of rounding an amount must be large to be called exact."""
