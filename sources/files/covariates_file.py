"""Covariate files: known or planned quantities by series and month.

File formats are those of a panel, long (``name``, ``value``) or wide (one column per quantity).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sources.files.covariate_rows import CovariateRows, read_rows
from sources.files.covariates import Covariates, Superseded
from sources.files.dates import form_note
from store.errors import SHOWN, DataError, counted, first_few
from store.frequency import MONTHLY, Frequency

FURTHEST: Final = 10
"""Years read beyond the panel's last; a typing error must not make the arrays huge."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """The cells of names x series x periods."""

    names: tuple[str, ...]
    series: tuple[str, ...]
    first: int
    months: int
    frequency: Frequency

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the sizes of the three dimensions."""
        return len(self.names), len(self.series), self.months

    def label(self, cell: int) -> str:
        """Describe a flattened place."""
        name, row, month = (int(place) for place in np.unravel_index(cell, self.shape))
        period = self.frequency.label(self.first + month)
        return f"{self.names[name]} of {self.series[row]} in {period}"


@dataclass(frozen=True, slots=True)
class _Entries:
    """Values the file has for cells of the grid; arrays are by entry."""

    rows: NDArray[np.int64]
    """Row of the file."""
    cells: NDArray[np.int64]
    """Flattened place in the grid."""
    floats: NDArray[np.float64]
    moments: NDArray[np.datetime64]
    """When it became available, in UTC."""

    def taken(self, places: NDArray[np.int64] | NDArray[np.bool_]) -> "_Entries":
        """Return some of the entries."""
        return _Entries(
            self.rows[places], self.cells[places], self.floats[places], self.moments[places]
        )


def read_covariates(
    source: Path | pd.DataFrame, *, table: pd.DataFrame, frequency: Frequency = MONTHLY
) -> Covariates:
    """Return the covariates of a panel's series.

    Args:
        source: File or frame with ``destination, period`` and either ``name, value`` or, without
            ``name``, one column of numbers a covariate; perhaps ``available_at`` (ISO 8601, UTC
            unless it has an offset), without which all is known from the start. The same name,
            series and month may occur again with another ``available_at``. An empty cell is a
            missing value.
        table: The panel, as ``sources.files.panel.read_panel`` gives it.
        frequency: Of its periods, in which the file is dated too.

    Returns:
        Values from the panel's first month to its last or, if that is later, the file's last.

    Raises:
        DataError: The file cannot be read, lacks a column, has bad cells, has two values for one
            cell and moment, or has no value of the panel's series.
    """
    rows = read_rows(source, table, frequency)
    grid = _grid(rows, table, frequency)
    found = _entries(rows, grid)
    entries = _each_once(found, rows, grid)
    values, known_by, superseded = _arrays(entries, grid, dated=rows.moments is not None)
    notes = (
        rows.file.encoding_note,
        form_note(rows.texts, rows.periods),
        _columns_note(rows),
        _unknown_note(rows),
        _outside_note(rows, grid),
        _again_note(len(found.rows) - len(entries.rows)),
    )
    return Covariates(
        rows.file.what,
        grid.names,
        grid.series,
        grid.first,
        values,
        known_by,
        superseded,
        tuple(note for note in notes if note),
        frequency,
    )


def _grid(rows: CovariateRows, table: pd.DataFrame, frequency: Frequency) -> _Grid:
    first, last = int(table.columns[0]), int(table.columns[-1])
    months = rows.months[rows.series >= 0]
    end = int(months[months <= last + FURTHEST * frequency.year].max(initial=last))
    return _Grid(rows.names, tuple(map(str, table.index)), first, end - first + 1, frequency)


def _entries(rows: CovariateRows, grid: _Grid) -> _Entries:
    months = rows.months.astype(np.int64) - grid.first
    inside = (rows.series >= 0) & (months >= 0) & (months < grid.months)
    places, cells, values = [], [], []
    for quantity in rows.quantities:
        filled = np.flatnonzero(inside & ~np.isnan(quantity.numbers.floats))
        where = (quantity.names[filled], rows.series[filled], months[filled])
        places.append(filled)
        cells.append(np.ravel_multi_index(where, grid.shape))
        values.append(quantity.numbers.floats[filled])
    row = np.concatenate(places)
    if not len(row):
        raise DataError(
            f"{rows.file.what} has no value of the panel's series in its months. Expected rows of "
            f"{first_few(grid.series)}; destinations not in the panel: "
            f"{first_few(rows.unknown) or 'none'}. Compare the names and months of both files."
        )
    moments = np.zeros(len(row), "datetime64[us]") if rows.moments is None else rows.moments[row]
    return _Entries(row, np.concatenate(cells), np.concatenate(values), moments)


def _each_once(entries: _Entries, rows: CovariateRows, grid: _Grid) -> _Entries:
    """Return the entries by cell and moment, without duplicates."""
    ordered = entries.taken(np.lexsort((entries.rows, entries.moments, entries.cells)))
    again = _equals_previous(ordered.cells) & _equals_previous(ordered.moments)
    differ = np.flatnonzero(again & ~_equals_previous(ordered.floats))
    if len(differ):
        numbers = rows.file.rows(ordered.rows)
        messages = [
            f"{grid.label(int(ordered.cells[place]))} is {ordered.floats[place - 1]} in row "
            f"{numbers[place - 1]} and {ordered.floats[place]} in row {numbers[place]}"
            for place in differ.tolist()[:SHOWN]
        ]
        few = first_few(messages, total=len(differ))
        raise DataError(
            f"{rows.file.what} has two values for one cell: {few}. Expected "
            "one value per series, month and name, or a later available_at with the newer one. "
            "Remove the wrong row."
        )
    return ordered.taken(~again)


def _equals_previous(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    return np.append([False], values[1:] == values[:-1])[: len(values)]


def _arrays(
    entries: _Entries, grid: _Grid, *, dated: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None, Superseded]:
    """Return the newest values, when they became available, and the superseded ones.

    Args:
        entries: By cell and moment.
        grid: The cells.
        dated: Whether the file dates when values became available.
    """
    months = grid.frequency.known_in(entries.moments.astype("datetime64[D]").astype(np.int64))
    newest = np.append(~_equals_previous(entries.cells)[1:], [True])
    values = np.full(grid.shape, np.nan)
    values.flat[entries.cells[newest]] = entries.floats[newest]
    older = np.flatnonzero(~newest)
    older = older[np.argsort(entries.moments[older], kind="stable")]
    superseded = Superseded(entries.cells[older], entries.floats[older], months[older])
    if not dated:
        return values, None, superseded
    known_by = np.zeros(grid.shape, dtype=np.int64)
    known_by.flat[entries.cells[newest]] = months[newest]
    return values, known_by, superseded


def _columns_note(rows: CovariateRows) -> str:
    if not rows.text_columns:
        return ""
    return f"columns without numbers are no covariates: {first_few(rows.text_columns)}"


def _unknown_note(rows: CovariateRows) -> str:
    """Describe the rows that belong to no series of the panel."""
    messages = []
    if rows.unknown:
        messages.append(f"destinations not in the panel, left out: {first_few(rows.unknown)}")
    if unnamed := int(rows.unnamed.sum()):
        messages.append(f"{counted(unnamed, 'row')} without a destination left out")
    return "; ".join(messages)


def _outside_note(rows: CovariateRows, grid: _Grid) -> str:
    months = rows.months[rows.series >= 0] - grid.first
    outside = int(((months < 0) | (months >= grid.months)).sum())
    if not outside:
        return ""
    return (
        f"{counted(outside, 'row')} before the panel's first {grid.frequency.period} or over "
        f"{FURTHEST} years after its last left out"
    )


def _again_note(again: int) -> str:
    return f"{counted(again, 'value')} given twice, read once" if again else ""
