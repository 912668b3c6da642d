"""Panel files: one series per destination, one row per month, quarter or week.

Formats are CSV, compressed CSV and Parquet. A series with a bad row is refused by name; the others
are used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from sources.files import panel_checks as checks
from sources.files.column_names import OURS
from sources.files.dates import form_note, read_dates
from sources.files.frequencies import DatedRows, check_quarters, frequency_of
from sources.files.long_format import LongFile, read_long_file, read_long_frame
from sources.files.panel_checks import PanelRows, SeriesFaults
from store.errors import DataError, counted, first_few
from store.frequency import MONTHLY, Frequency
from store.hidden_text import HIDDEN, look_alikes, spelled, visible

PART_OF: Final = "part_of"

SPARSE_END: Final = 0.1
"""Share of the series with a value in the last month below which a note is given."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The usable content of a panel file."""

    table: pd.DataFrame
    """One row a series (index: destination, sorted), one column a period from the first to the
    last with a value, as consecutive numbers of its frequency; NaN is a gap."""
    refused: dict[str, str]
    """Series left out of the table and why, with rows and values."""
    notes: tuple[str, ...]
    """What was read tolerantly, and what to know about the table."""
    tree_rows: "pd.Series[str] | None"
    """Column ``part_of`` by destination of the table, "" where empty; None without the column."""
    frequency: Frequency = MONTHLY
    """What the periods are."""


@dataclass(frozen=True, slots=True)
class PanelOptions:
    """How a panel is to be read."""

    columns: tuple[str, str, str] | None = None
    """What it calls ``OURS``; None takes these or those of Nixtla's tools."""
    allow_negative: bool = False
    """Whether values below zero are values."""
    freq: str | None = None
    """Months, quarters or weeks, as ``frequencies.frequency_of`` takes it; None tells by dates."""


READ_AS_IS: Final = PanelOptions()


def read_panel(path: Path, options: PanelOptions = READ_AS_IS) -> Panel:
    """Return the valid series of a panel as a dense table, with refused series and notes.

    Args:
        path: File with ``destination, period, tonnes`` and perhaps ``part_of``; further columns are
            ignored. Rows may come in any order; dates are read as ``sources.files.dates``
            does; an empty ``tonnes`` is a gap; duplicate rows are read once.
        options: Other names of columns, and whether values may be negative.

    Raises:
        DataError: The file cannot be read, lacks a column, has no series name in most rows or has
            no valid series.
    """
    if path.is_dir():
        raise DataError(
            f"Panel {path} cannot be read: it is a folder. Expected a file. Check the path."
        )
    pick = partial(_columns, f"Panel {path}", options)
    return _usable(read_long_file(path, what="Panel", pick=pick, given=options.columns), options)


def panel_of(frame: pd.DataFrame, options: PanelOptions = READ_AS_IS) -> Panel:
    """Return the valid series of a frame as ``read_panel`` does of a file; its first row is row 0.

    Raises:
        DataError: As ``read_panel``.
    """
    pick = partial(_columns, "Panel", options)
    return _usable(read_long_frame(frame, what="Panel", pick=pick, given=options.columns), options)


def _usable(file: LongFile, options: PanelOptions) -> Panel:
    panel, faults = _read(file, options)
    if not len(panel.table):
        raise _nothing_left(faults, panel.frequency)
    return panel


def read_part(path: Path, options: PanelOptions = READ_AS_IS) -> Panel:
    """Return a part of a panel as ``read_panel`` does; the table is empty if no series is valid.

    Args:
        path: Folder of Parquet files.
        options: How it is to be read.

    Raises:
        DataError: The part cannot be read or lacks a column.
    """
    pick = partial(_columns, f"Panel {path}", options)
    return _read(read_long_file(path, what="Panel", pick=pick), options)[0]


def check_columns(what: str, names: Sequence[str], options: PanelOptions = READ_AS_IS) -> None:
    """Check that a panel has all columns.

    Args:
        what: Kind and path, to begin a message with.
        names: Its columns, in our own names where they are known.
        options: How it is to be read.

    Raises:
        DataError: One is missing.
    """
    expected = dict(zip(OURS, options.columns or OURS, strict=True))
    missing = [their for name, their in expected.items() if name not in names]
    if missing:
        raise DataError(
            f"{what} has no column {', '.join(missing)}. Expected {', '.join(expected.values())}. "
            f"It has {', '.join(names[:8])}. Rename or add the column."
        )


def _read(file: LongFile, options: PanelOptions) -> tuple[Panel, SeriesFaults]:
    rows = _decoded(file, options)
    notes = [
        file.encoding_note,
        _unnamed_note(rows),
        form_note(rows.texts, rows.periods),
        _mark_note(rows),
    ]
    faults = SeriesFaults(rows.file, rows.series.texts)
    for check in (
        _check_names,
        checks.check_ragged_lines,
        checks.check_months,
        partial(checks.check_values, allow_negative=options.allow_negative),
        checks.check_emptiness,
        checks.check_parents,
        checks.check_far_months,
        checks.check_repeats,
    ):
        check(rows, faults)
    if rows.frequency.period == "month" and options.freq is None:
        check_quarters(rows, faults)
    table = _dense(rows, faults)
    notes += [_look_alike_note(rows)]
    if len(table):
        notes += [_again_note(rows, faults, table)]
        notes += [_gap_note(table, rows.frequency), _end_note(table, rows.frequency)]
    filled = tuple(note for note in notes if note)
    panel = Panel(table, faults.reasons(), filled, _tree_rows(rows, table), rows.frequency)
    return panel, faults


def _columns(what: str, options: PanelOptions, names: Sequence[str]) -> list[str]:
    check_columns(what, names, options)
    return [name for name in (*OURS, PART_OF) if name in names]


def _decoded(file: LongFile, options: PanelOptions) -> PanelRows:
    series, periods = file.categorical("destination"), file.categorical("period")
    dates = read_dates((*periods.texts, ""))
    frequency = frequency_of(DatedRows(file.what, series.codes, dates, periods.codes), options.freq)
    return PanelRows(
        file,
        series,
        periods.codes,
        dates.periods(frequency),
        frequency,
        file.numbers("tonnes"),
        file.categorical(PART_OF) if PART_OF in file.columns else None,
    )


def _unnamed_note(rows: PanelRows) -> str:
    """Return a note on values without a series name.

    Stray totals and footers are left out. If most rows are unnamed, names were probably given once
    above their rows, as in merged spreadsheet cells, and the file is refused.
    """
    unnamed = rows.file.rows(np.flatnonzero((rows.series.codes < 0) & rows.filled)).tolist()
    unnamed += [line.row for line in rows.file.ragged if not line.destination.strip()]
    if not unnamed:
        return ""
    shown = first_few([f"row {row}" for row in sorted(unnamed)])
    if 2 * len(unnamed) > len(rows.file) + len(rows.file.ragged):
        raise DataError(
            f"{rows.file.what} has no destination in {len(unnamed)} rows, which are most: {shown}. "
            "Expected a series name in every row. Write the name into each of its rows."
        )
    return f"rows without a destination belong to no series and were left out: {shown}"


def _check_names(rows: PanelRows, faults: SeriesFaults) -> None:
    """Note names with characters that nobody sees."""
    for name in filter(HIDDEN.search, rows.series.texts):
        faults.add(name, 0, f"its name {visible(name)!r} has hidden characters")


def _look_alike_note(rows: PanelRows) -> str:
    groups = look_alikes(rows.series.texts)
    if not groups:
        return ""
    shown = [" and ".join(map(spelled, group)) for group in groups]
    return f"different series whose names look the same: {first_few(shown)}"


def _mark_note(rows: PanelRows) -> str:
    if not rows.tonnes.marked:
        return ""
    count = counted(rows.tonnes.marked, "row")
    return f"tonnes has a word for a missing value, such as nan: {count}, read as gaps"


def _dense(rows: PanelRows, faults: SeriesFaults) -> pd.DataFrame:
    usable = checks.usable_rows(rows, faults)
    if not len(usable):
        return pd.DataFrame()
    cells = checks.cells_of(rows, usable)
    grid = np.full(cells.size, np.nan)
    grid[cells.keys] = rows.tonnes.floats[usable] + 0.0  # a negative zero becomes zero
    names = [rows.series.texts[code] for code in cells.series]
    return pd.DataFrame(
        grid.reshape(-1, cells.width),
        index=pd.Index(names, name="destination", dtype="str"),
        columns=pd.Index(cells.first + np.arange(cells.width), name="number"),
        copy=False,
    )


def _nothing_left(faults: SeriesFaults, frequency: Frequency) -> DataError:
    reasons = [f"{name}: {reason}" for name, reason in faults.reasons(most=1).items()]
    return DataError(
        f"{faults.file.what} has no series that can be used. {first_few(reasons)}. Expected a "
        f"series name, a {frequency.period} as {frequency.form} and one number of at least 0 a "
        "row. Correct or remove the rows."
    )


def _again_note(rows: PanelRows, faults: SeriesFaults, table: pd.DataFrame) -> str:
    again = len(checks.usable_rows(rows, faults)) - int(np.isfinite(table.to_numpy()).sum())
    note = f"{counted(again, 'row')} with the same series, month and tonnes as another"
    return f"{note}, read once" if again else ""


def _gap_note(table: pd.DataFrame, frequency: Frequency) -> str:
    """Return a note on periods missing between the first and the last value of a series."""
    there = np.isfinite(table.to_numpy())
    span = there.shape[1] - there.argmax(axis=1) - there[:, ::-1].argmax(axis=1)
    gaps = span - there.sum(axis=1)
    if not gaps.any():
        return ""
    missing = counted(int(gaps.sum()), frequency.period)
    return f"gaps: {missing} in {counted(int((gaps > 0).sum()), 'series')}"


def _end_note(table: pd.DataFrame, frequency: Frequency) -> str:
    """Return a note if few series reach the last period, which may be a typing error."""
    reach = int(np.isfinite(table.iloc[:, -1].to_numpy()).sum())
    if reach >= SPARSE_END * len(table):
        return ""
    return (
        f"the last {frequency.period}, {frequency.label(int(table.columns[-1]))}, "
        f"has a value of {reach} of {len(table)} series only"
    )


def _tree_rows(rows: PanelRows, table: pd.DataFrame) -> "pd.Series[str] | None":
    if rows.parents is None:
        return None
    placed = (rows.series.codes >= 0) & (rows.parents.codes >= 0)
    parent = np.full(len(rows.series.texts), -1)
    parent[rows.series.codes[placed]] = rows.parents.codes[placed]
    texts = np.array([*rows.parents.texts, ""], dtype=object)
    by_name = pd.Series(texts[parent], index=list(rows.series.texts), dtype="str", name=PART_OF)
    return by_name.reindex(table.index)
