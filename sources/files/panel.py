"""Panel files: one series per destination, one row per month.

A series with a bad row is refused by name; the others are used.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from sources.files.csv_table import read_table
from sources.files.long_format import OURS, months_in, named, numbers_of, read_rows
from store.arrays import Flags
from store.errors import SHOWN, DataError, counted, first_few, shown
from store.months import month_label

_COLUMNS: Final = ("commodity", "label")

_LONGEST: Final = 80
"""Characters of a label."""

_CODE: Final = re.compile(r"[A-Z]{0,2}\d{4,10}", re.ASCII)


def read_commodities(path: Path) -> dict[str, str]:
    """Return the commodities of a CSV file, in its order, with their names, which may be empty."""
    table = read_table(path, _COLUMNS)
    found: dict[str, str] = {}
    for row in table.rows:
        code = row.parsed("commodity", _code) or ""
        if code in found:
            row.bad("commodity", "new, for an earlier line has it")
        found[code] = row.parsed("label", _words) or ""
    table.problems.raise_if_any()
    if not found:
        raise DataError(
            f"Commodities file {path.name} has no rows. Expected one a commodity. "
            "Fill it, or run without it."
        )
    return found


def _words(text: str) -> str:
    if len(text) > _LONGEST or not all(one.isprintable() for one in text):
        raise ValueError(f"at most {_LONGEST} printable characters on one line")
    return text


def _code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError("a code of 4 to 10 digits, e.g. 850511")
    return text


PART_OF: Final = "part_of"

SPARSE_END: Final = 0.1
"""Share of the series with a value in the last month below which a note is given."""

_LARGEST: Final = 1e100
"""Largest value accepted. Squares and sums of larger ones overflow and would spoil every series."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The usable content of a panel file."""

    table: pd.DataFrame
    """One row a series (index: destination, sorted), one column a month from the first to the last
    with a value, as consecutive month numbers; NaN is a gap."""
    refused: dict[str, str]
    """Series left out of the table and why, with rows and values."""
    notes: tuple[str, ...]
    """What to know about the table."""
    tree_rows: "pd.Series[str] | None"
    """Column ``part_of`` by destination of the table, "" where empty; None without the column."""


@dataclass(frozen=True, slots=True)
class PanelOptions:
    """How a panel is to be read."""

    columns: tuple[str, str, str] | None = None
    """What it calls ``OURS``; None takes these or those of Nixtla's tools."""
    allow_negative: bool = False
    """Whether values below zero are values."""


READ_AS_IS: Final = PanelOptions()


@dataclass(slots=True)
class _Faults:
    """What is wrong with series, found so far."""

    rows: pd.DataFrame
    messages: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, wrong: Flags, describe: Callable[[int], str]) -> None:
        """Note bad rows; the first few of a series are described."""
        names = self.rows["destination"]
        places = np.flatnonzero(wrong & names.notna().to_numpy())
        for name, own in pd.Series(places).groupby(names.iloc[places].to_numpy()):
            texts = self.messages.setdefault(str(name), [])
            few = own.tolist()[: SHOWN - len(texts)]
            texts += [f"row {self.rows.index[place]}: {describe(place)}" for place in few]
            self.counts[str(name)] = self.counts.get(str(name), 0) + len(own)

    def reasons(self) -> Iterator[tuple[str, str]]:
        """Yield each series with a fault, and its faults in words."""
        for name in sorted(self.messages):
            few = "; ".join(self.messages[name])
            more = self.counts[name] > len(self.messages[name])
            yield name, f"{few}; ... ({self.counts[name]} in all)" if more else few


def read_panel(path: Path, options: PanelOptions = READ_AS_IS) -> Panel:
    """Return the valid series of a panel as a dense table, with refused series and notes.

    Args:
        path: File with ``destination, period, tonnes`` and perhaps ``part_of``; further columns are
            ignored. Rows may come in any order; an empty ``tonnes`` is a gap; duplicate rows are
            read once.
        options: Other names of columns, and whether values may be negative.
    """
    return _panel(path, options)


def panel_of(frame: pd.DataFrame, options: PanelOptions = READ_AS_IS) -> Panel:
    """Return the valid series of a frame as ``read_panel``; its first row is row 0."""
    return _panel(frame, options)


def _panel(source: Path | pd.DataFrame, options: PanelOptions) -> Panel:
    name = named(source, "Panel")
    rows = read_rows(source, "Panel", given=options.columns)
    _check_columns(name, rows, options)
    has_tree = PART_OF in rows
    rows = rows[[*OURS, PART_OF] if has_tree else list(OURS)]
    labels = rows["destination"].astype("str")
    rows = rows.assign(destination=labels.where(labels.str.strip() != ""))
    faults = _Faults(rows)
    known, again = _known(rows, faults, name, options)
    if has_tree:
        _check_parents(rows, faults)
    reasons = dict(faults.reasons())
    known = known.loc[~known["destination"].isin(list(reasons))]
    if known.empty:
        few = first_few([f"{series}: {reason}" for series, reason in reasons.items()])
        raise DataError(
            f"{name} has no series that can be used. {few}. Expected a series name, a month as "
            "YYYY-MM and one number of at least 0 a row. Correct or remove the rows."
        )
    table = _dense(known)
    notes = (_unnamed_note(rows), _again_note(again), _gap_note(table), _end_note(table))
    tree = _tree_rows(rows, table) if has_tree else None
    return Panel(table, reasons, tuple(note for note in notes if note), tree)


def _check_columns(name: str, rows: pd.DataFrame, options: PanelOptions) -> None:
    expected = dict(zip(OURS, options.columns or OURS, strict=True))
    if missing := [their for our, their in expected.items() if our not in rows]:
        raise DataError(
            f"{name} has no column {', '.join(missing)}. Expected {', '.join(expected.values())}. "
            f"It has {', '.join(map(str, rows.columns[:8]))}. Rename or add the column."
        )


def _known(
    rows: pd.DataFrame, faults: _Faults, name: str, options: PanelOptions
) -> tuple[pd.DataFrame, int]:
    """Return destination, month, tonnes of the rows with a value, and how many stand twice."""
    months, why = months_in(rows["period"], rows["destination"], name)
    faults.note(months < 0, lambda place: why[place])
    values, wrong = numbers_of(rows["tonnes"])
    cells = rows["tonnes"].astype("str").fillna("").tolist() if wrong.any() else []
    faults.note(wrong, lambda place: f"tonnes {shown(cells[place])!r} is no number")
    faults.note(np.isinf(values), lambda place: f"tonnes {values[place]} is not finite")
    finite = np.isfinite(values)
    if not options.allow_negative:
        faults.note(finite & (values < 0), lambda place: f"{values[place]} tonnes is negative")
    large = finite & (np.abs(values) > _LARGEST)
    faults.note(large, lambda place: f"{values[place]} tonnes is over {_LARGEST:g}")
    filled = rows["destination"].where(finite | wrong | np.isinf(values))
    empty = ~rows["destination"].isin(filled.dropna().unique()).to_numpy()
    faults.note(empty, lambda _: "tonnes is empty, as in all rows of the series")
    known = pd.DataFrame(
        {"destination": rows["destination"], "month": months, "tonnes": values + 0.0}
    )
    known = known.loc[finite & (months >= 0) & rows["destination"].notna().to_numpy()]
    return known, _note_repeats(known, faults)


def _note_repeats(known: pd.DataFrame, faults: _Faults) -> int:
    """Note rows that differ from the first of the same series and month; return how many do not."""
    keys = ["destination", "month"]
    again = known.loc[known.duplicated(keys)]
    if again.empty:
        return 0
    first = known.reset_index().drop_duplicates(keys).set_index(keys)
    earlier = first.loc[pd.MultiIndex.from_frame(again[keys])].set_axis(again.index)
    differ = again.index[again["tonnes"] != earlier["tonnes"]]

    def describe(place: int) -> str:
        row = faults.rows.index[place]
        one, other = again.loc[row], earlier.loc[row]
        return (
            f"{month_label(int(one['month']))} stands twice with different tonnes, "
            f"{one['tonnes']} here and {other['tonnes']} in row {int(other['index'])}"
        )

    faults.note(faults.rows.index.isin(differ), describe)
    return len(again) - len(differ)


def _check_parents(rows: pd.DataFrame, faults: _Faults) -> None:
    """Note rows that give a series other sums than its first row with any does."""
    own = rows[PART_OF].astype("str")
    first = own.groupby(rows["destination"]).transform("first")
    differ = own.notna() & (own != first)
    texts, expected = own.tolist(), first.tolist()
    faults.note(
        differ.to_numpy(dtype=bool),
        lambda place: f"part_of is {texts[place]!r}, in the first row {expected[place]!r}",
    )


def _dense(known: pd.DataFrame) -> pd.DataFrame:
    codes, names = pd.factorize(known["destination"], sort=True)
    months = known["month"].to_numpy()
    first = int(months.min())
    grid = np.full((len(names), int(months.max()) - first + 1), np.nan)
    grid[codes[::-1], months[::-1] - first] = known["tonnes"].to_numpy()[::-1]
    return pd.DataFrame(
        grid,
        index=pd.Index(names, name="destination", dtype="str"),
        columns=pd.Index(first + np.arange(grid.shape[1]), name="number"),
        copy=False,
    )


def _unnamed_note(rows: pd.DataFrame) -> str:
    unnamed = rows.index[rows["destination"].isna() & rows["tonnes"].notna()]
    shown_rows = first_few([f"row {row}" for row in unnamed])
    note = "rows without a destination belong to no series and were left out"
    return f"{note}: {shown_rows}" if len(unnamed) else ""


def _again_note(again: int) -> str:
    note = f"{counted(again, 'row')} with the same series, month and tonnes as another"
    return f"{note}, read once" if again else ""


def _gap_note(table: pd.DataFrame) -> str:
    """Return a note on months missing between the first and the last value of a series."""
    there = np.isfinite(table.to_numpy())
    span = there.shape[1] - there.argmax(axis=1) - there[:, ::-1].argmax(axis=1)
    gaps = span - there.sum(axis=1)
    if not gaps.any():
        return ""
    missing = counted(int(gaps.sum()), "month")
    return f"gaps: {missing} in {counted(int((gaps > 0).sum()), 'series')}"


def _end_note(table: pd.DataFrame) -> str:
    """Return a note if few series reach the last month, which may be a typing error."""
    reach = int(np.isfinite(table.iloc[:, -1].to_numpy()).sum())
    if reach >= SPARSE_END * len(table):
        return ""
    return (
        f"the last month, {month_label(int(table.columns[-1]))}, "
        f"has a value of {reach} of {len(table)} series only"
    )


def _tree_rows(rows: pd.DataFrame, table: pd.DataFrame) -> "pd.Series[str]":
    by_name = rows[PART_OF].astype("str").groupby(rows["destination"]).first()
    return by_name.reindex(table.index).fillna("").rename(PART_OF)
