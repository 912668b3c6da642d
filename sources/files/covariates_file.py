"""Covariate files: known or planned quantities by series and month.

File formats are those of a panel, long (``name``, ``value``) or wide (one column per quantity).
"""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from sources.files.covariates import Covariates, Superseded
from sources.files.long_format import months_in, named, numbers_of, read_rows
from sources.files.panel import PART_OF
from store.arrays import Floats, Ints
from store.errors import SHOWN, DataError, counted, first_few, shown
from store.months import YEAR, month_label, month_numbers

WHAT: Final = "Covariate file"
KEY: Final = ("destination", "period")
LONG: Final = ("name", "value")
AVAILABLE_AT: Final = "available_at"

FURTHEST: Final = 10
"""Years read beyond the panel's last; a typing error must not make the arrays huge."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].+)?", re.ASCII)
_CELL: Final = ["name", "series", "month"]


def read_covariates(source: Path | pd.DataFrame, *, table: pd.DataFrame) -> Covariates:
    """Return the covariates of a panel's series.

    Args:
        source: File or frame with ``destination, period`` and either ``name, value`` or, without
            ``name``, one column of numbers a covariate; perhaps ``available_at`` (ISO 8601, UTC
            unless it has an offset), without which all is known from the start. The same name,
            series and month may occur again with another ``available_at``. An empty cell is a
            missing value.
        table: The panel, as ``sources.files.panel.read_panel`` gives it.

    Returns:
        Values from the panel's first month to its last or, if that is later, the file's last.

    Raises:
        DataError: The file cannot be read, lacks a column, has bad cells, has two values for one
            cell and moment, or has no value of the panel's series.
    """
    what = named(source, WHAT)
    rows = _long(read_rows(source, WHAT), what)
    known = rows["destination"].isin(table.index)
    unknown = sorted(rows.loc[~known, "destination"].dropna().astype(str).unique())
    entries = _entries(rows.loc[known], table, what)
    first, last = int(table.columns[0]), int(table.columns[-1])
    inside = (entries["month"] >= first) & (entries["month"] <= last + FURTHEST * YEAR)
    outside = int((~inside).sum())
    entries = entries.loc[inside & entries["value"].notna()]
    if entries.empty:
        raise DataError(
            f"{what} has no value of the panel's series in its months. Expected rows of "
            f"{first_few([str(name) for name in table.index])}; destinations not in the panel: "
            f"{first_few(unknown) or 'none'}. Compare the names and months of both files."
        )
    names = tuple(sorted(rows["name"].dropna().unique()))
    once = _each_once(entries, table, what)
    notes = (
        f"destinations not in the panel, left out: {first_few(unknown)}" if unknown else "",
        f"{counted(outside, 'row')} before the panel's first month or over {FURTHEST} years after "
        "its last left out"
        if outside
        else "",
    )
    shape = (len(names), len(table), max(int(once["month"].max()), last) - first + 1)
    return Covariates(
        what,
        names,
        tuple(map(str, table.index)),
        first,
        *_arrays(once, names, shape, first, is_dated=AVAILABLE_AT in rows),
        tuple(note for note in notes if note),
    )


def _long(rows: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return destination, period, name, value and perhaps available_at, a row a value."""
    needed = [*KEY, *(LONG if "name" in rows else ())]
    missing = [name for name in needed if name not in rows]
    dated = [AVAILABLE_AT] if AVAILABLE_AT in rows else []
    further = [name for name in rows if name not in (*KEY, "tonnes", PART_OF, AVAILABLE_AT)]
    if missing or not further:
        lacking = f"has no column {', '.join(missing)}" if missing else "has no column of values"
        raise DataError(
            f"{what} {lacking}. Expected {', '.join((*KEY, *LONG))} and perhaps {AVAILABLE_AT}, "
            "or, without name, a column a covariate. It has "
            f"{', '.join(map(str, rows.columns[:8]))}. Rename or add the column."
        )
    if "name" in rows:
        return rows[[*needed, *dated]]
    melted = rows.melt([*KEY, *dated], further, "name", "value", ignore_index=False)
    return melted.sort_index(kind="stable")


def _entries(rows: pd.DataFrame, table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return name, series (row of the table), month, value, moment (UTC) of checked rows.

    Raises:
        DataError: A cell cannot be read.
    """
    months, why = months_in(rows["period"], rows["destination"], what)
    values, wrong = numbers_of(rows["value"])
    cells = [shown(str(cell)) for cell in rows["value"]] if (wrong | np.isinf(values)).any() else []
    names = rows["name"].astype("str")
    faults = [*why.items()]
    faults += [
        (at, f"{names.iloc[at]} {cells[at]!r} is no number")
        for at in np.flatnonzero(wrong).tolist()
    ]
    faults += [
        (at, f"{names.iloc[at]} {cells[at]!r} is not finite")
        for at in np.flatnonzero(np.isinf(values)).tolist()
    ]
    faults += [(at, "name is empty") for at in np.flatnonzero(names.isna()).tolist()]
    moments = np.zeros(len(rows), "datetime64[us]")
    if AVAILABLE_AT in rows:
        texts = rows[AVAILABLE_AT].astype("str").str.strip()
        dated = texts.where(texts.str.fullmatch(_DAY).fillna(value=False).astype(bool))
        stamps = pd.to_datetime(dated, format="ISO8601", utc=True, errors="coerce")
        moments = stamps.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
        faults += [
            (at, f"{AVAILABLE_AT} {shown(str(texts.iloc[at]))!r} is no day or moment")
            for at in np.flatnonzero(np.isnat(moments)).tolist()
        ]
    if faults:
        told = [f"row {rows.index[at]}: {text}" for at, text in sorted(faults)[:SHOWN]]
        raise DataError(
            f"{what} has {counted(len(faults), 'bad cell')}: {first_few(told, total=len(faults))}. "
            "Expected a series name, a month as YYYY-MM, finite numbers and, if there is a column "
            f"{AVAILABLE_AT}, a UTC moment. Correct or remove those rows; nothing was used."
        )
    places = table.index.get_indexer(pd.Index(rows["destination"], dtype="str"))
    return pd.DataFrame(
        {
            "name": names.to_numpy(),
            "series": places,
            "month": months,
            "value": values,
            "moment": moments,
            "row": rows.index,
        }
    )


def _each_once(entries: pd.DataFrame, table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return the entries by cell and moment, without duplicates."""
    keys = [*_CELL, "moment"]
    ordered = entries.sort_values([*keys, "row"], ignore_index=True)
    again = ordered.duplicated(keys).to_numpy()
    before = ordered.shift()
    differ = np.flatnonzero(again & (ordered["value"] != before["value"]).to_numpy())
    if len(differ):
        told = [
            f"{one['name']} of {table.index[one['series']]} in {month_label(int(one['month']))} is "
            f"{ordered.loc[at - 1, 'value']} in row {ordered.loc[at - 1, 'row']} and "
            f"{one['value']} in row {one['row']}"
            for at in differ[:SHOWN].tolist()
            for one in [ordered.loc[at]]
        ]
        raise DataError(
            f"{what} has two values for one cell: {first_few(told, total=len(differ))}. Expected "
            "one value per series, month and name, or a later available_at with the newer one. "
            "Remove the wrong row."
        )
    return ordered.loc[~again]


def _arrays(
    entries: pd.DataFrame,
    names: tuple[str, ...],
    shape: tuple[int, int, int],
    first: int,
    *,
    is_dated: bool,
) -> tuple[Floats, Ints | None, Superseded]:
    """Return the newest values, when they became available, and the superseded ones."""
    where = (
        pd.Index(names).get_indexer(pd.Index(entries["name"])),
        entries["series"].to_numpy(),
        entries["month"].to_numpy() - first,
    )
    cells = np.ravel_multi_index(where, shape)
    floats, known = entries["value"].to_numpy(), month_numbers(entries["moment"])
    newest = ~entries.duplicated(_CELL, keep="last").to_numpy()
    values = np.full(shape, np.nan)
    values.flat[cells[newest]] = floats[newest]
    older = np.flatnonzero(~newest)
    older = older[np.argsort(entries["moment"].to_numpy()[older], kind="stable")]
    superseded = Superseded(cells[older], floats[older], known[older])
    if not is_dated:
        return values, None, superseded
    known_by = np.zeros(shape, dtype=np.int64)
    known_by.flat[cells[newest]] = known[newest]
    return values, known_by, superseded
