"""Covariates by series and month, as they were known at a cutoff."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sources.files.long_format import months_in, named, numbers_of, read_rows
from sources.files.panel import PART_OF
from store.arrays import Floats, Ints
from store.errors import SHOWN, DataError, counted, first_few, shown
from store.months import YEAR, month_label, month_numbers


@dataclass(frozen=True, slots=True)
class Superseded:
    """Values replaced by a later one of the same cell, in order of availability."""

    cells: NDArray[np.int64]
    """Place in the flattened ``Covariates.latest``."""
    floats: NDArray[np.float64]
    known_by: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Covariates:
    """Known or planned values of some quantities, by series and month."""

    source: str
    """Kind and path, to begin a message with."""
    names: tuple[str, ...]
    series: tuple[str, ...]
    """Destinations of the panel, in its order."""
    first: int
    """Number of the first month."""
    latest: NDArray[np.float64]
    """names x series x months, each as last published; NaN where the file has none."""
    known_by: NDArray[np.int64] | None
    """Number of the month by whose end each value was available; None where the file does not say,
    so that all values are known from the start."""
    superseded: Superseded
    notes: tuple[str, ...]

    def at(
        self, cutoff: int, horizon: int, *, needed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Return the values known at the end of a month, up to the last month to forecast.

        Args:
            cutoff: Month number; what became available after its last day is not used.
            horizon: Months to forecast after it, at least 1.
            needed: Which series are to be forecast; all by default. The others may lack values.

        Returns:
            names x series x months from ``first`` to ``cutoff + horizon``; NaN in the past, and in
            the future of series not needed, where nothing was known.
        """
        if cutoff < self.first:
            raise DataError(
                f"{self.source} begins with the panel in {month_label(self.first)}, after "
                f"the cutoff {month_label(cutoff)}. Expected a cutoff in the panel. Take "
                "a later one."
            )
        view = self.view(cutoff, horizon)
        missing = np.isnan(view[:, :, -horizon:])
        if needed is not None:
            missing &= needed[:, np.newaxis]
        if missing.any():
            raise self._lacking(missing, cutoff)
        return view

    def carried(self, table: pd.DataFrame) -> tuple["Covariates", int]:
        """Return these with months without trade filled forward, and the number of filled cells.

        A rate paid on trade has no value in a month without trade. Such months of the panel take
        the value of the previous month; others, and all after the panel, stay missing. Nothing is
        filled if the file dates when values became available.
        """
        if self.known_by is not None:
            return self, 0
        width = min(table.shape[1], self.latest.shape[2])
        idle = ~(table.to_numpy(dtype=float)[:, :width] > 0)
        filled = self.latest.copy()
        lacking = np.isnan(filled[:, :, :width]) & idle
        for month in range(1, width):
            before = filled[:, :, month - 1]
            filled[:, :, month] = np.where(lacking[:, :, month], before, filled[:, :, month])
        count = int((lacking & np.isfinite(filled[:, :, :width])).sum())
        return replace(self, latest=filled), count

    def missing(self, cutoff: int, horizon: int) -> NDArray[np.bool_]:
        """Return which values needed for a forecast are not known at a cutoff.

        Args:
            horizon: Months to forecast after it.

        Returns:
            names x series x horizon.
        """
        return np.isnan(self.view(cutoff, horizon)[:, :, -horizon:])

    def view(self, cutoff: int, horizon: int) -> NDArray[np.float64]:
        """Return the values known at the end of a month, NaN where there were none.

        Args:
            horizon: Months after it to return.

        Returns:
            names x series x months from ``first`` to ``cutoff + horizon``.
        """
        months = cutoff + horizon - self.first + 1
        view = np.full((*self.latest.shape[:2], months), np.nan)
        shared = min(months, self.latest.shape[2])
        view[:, :, :shared] = self.latest[:, :, :shared]
        if self.known_by is None:
            return view
        view[:, :, :shared][self.known_by[:, :, :shared] > cutoff] = np.nan
        earlier = np.flatnonzero(self.superseded.known_by <= cutoff)
        name, row, month = np.unravel_index(self.superseded.cells[earlier], self.latest.shape)
        reached = month < shared
        name, row, month, earlier = name[reached], row[reached], month[reached], earlier[reached]
        hidden = self.known_by[name, row, month] > cutoff
        cells = (name[hidden], row[hidden], month[hidden])
        # In order of availability, so that the newest of several is assigned last.
        view[cells] = self.superseded.floats[earlier[hidden]]
        return view

    def _lacking(self, missing: NDArray[np.bool_], cutoff: int) -> DataError:
        cells = np.argwhere(missing)
        text = [
            self._cell(int(name), int(row), cutoff + 1 + int(ahead))
            for name, row, ahead in cells[:SHOWN]
        ]
        more = f", ... and {len(cells) - SHOWN} more" if len(cells) > SHOWN else ""
        return DataError(
            f"{self.source} lacks values to forecast after {month_label(cutoff)}: "
            f"{', '.join(text)}{more}. Expected a value known by then of each series in each month "
            "to forecast. Add the rows, or leave the covariate or these series out."
        )

    def _cell(self, name: int, row: int, month: int) -> str:
        text = f"{self.names[name]} of {self.series[row]} in {month_label(month)}"
        place = month - self.first
        if self.known_by is None or place >= self.latest.shape[2]:
            return text
        if np.isnan(self.latest[name, row, place]):
            return text
        since = int(self.known_by[name, row, place])
        return f"{text} (available only in {month_label(since)})"


WHAT: Final = "Covariate file"
_KEY: Final = ("destination", "period")
LONG: Final = ("name", "value")
AVAILABLE_AT: Final = "available_at"

_FURTHEST: Final = 10
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
    """
    what = named(source, WHAT)
    rows = _long(read_rows(source, WHAT), what)
    known = rows["destination"].isin(table.index)
    unknown = sorted(rows.loc[~known, "destination"].dropna().astype(str).unique())
    entries = _entries(rows.loc[known], table, what)
    first, last = int(table.columns[0]), int(table.columns[-1])
    inside = (entries["month"] >= first) & (entries["month"] <= last + _FURTHEST * YEAR)
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
        f"{counted(outside, 'row')} before the panel's first month or over {_FURTHEST} years after "
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
    needed = [*_KEY, *(LONG if "name" in rows else ())]
    missing = [name for name in needed if name not in rows]
    dated = [AVAILABLE_AT] if AVAILABLE_AT in rows else []
    further = [name for name in rows if name not in (*_KEY, "tonnes", PART_OF, AVAILABLE_AT)]
    if missing or not further:
        lacking = f"has no column {', '.join(missing)}" if missing else "has no column of values"
        raise DataError(
            f"{what} {lacking}. Expected {', '.join((*_KEY, *LONG))} and perhaps {AVAILABLE_AT}, "
            "or, without name, a column a covariate. It has "
            f"{', '.join(map(str, rows.columns[:8]))}. Rename or add the column."
        )
    if "name" in rows:
        return rows[[*needed, *dated]]
    melted = rows.melt([*_KEY, *dated], further, "name", "value", ignore_index=False)
    return melted.sort_index(kind="stable")


def _entries(rows: pd.DataFrame, table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return name, series (row of the table), month, value, moment (UTC) of checked rows."""
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
        bad = [f"row {rows.index[at]}: {text}" for at, text in sorted(faults)[:SHOWN]]
        raise DataError(
            f"{what} has {counted(len(faults), 'bad cell')}: {first_few(bad, total=len(faults))}. "
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
        bad = [
            f"{one['name']} of {table.index[one['series']]} in {month_label(int(one['month']))} is "
            f"{ordered.loc[at - 1, 'value']} in row {ordered.loc[at - 1, 'row']} and "
            f"{one['value']} in row {one['row']}"
            for at in differ[:SHOWN].tolist()
            for one in [ordered.loc[at]]
        ]
        raise DataError(
            f"{what} has two values for one cell: {first_few(bad, total=len(differ))}. Expected "
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
