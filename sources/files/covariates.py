"""Covariates by series and month, as available at a cutoff."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from sources.files.panel import PART_OF, Faults, Table, named, read_rows, require_columns
from store.arrays import Flags, Floats, Ints
from store.errors import SHOWN, DataError, counted, first_few, shown
from store.months import month_label, month_numbers


@dataclass(frozen=True, slots=True)
class Covariates:
    """Known or planned values of some quantities, by series and month."""

    source: str
    """Kind and path, to begin a message with."""
    names: tuple[str, ...]
    series: tuple[str, ...]
    """Destinations of the panel, in its order."""
    first: int
    months: int
    cells: Ints
    """Of each value, the place in names x series x months, flattened; of one cell the value that
    became available last comes last."""
    values: Floats
    known_by: Ints | None
    """Number of the month by whose end each value was available; None where the file does not say,
    so that all values are known from the start."""
    notes: tuple[str, ...]

    def at(self, cutoff: int, horizon: int, *, needed: Flags | None = None) -> Floats:
        """Values available at the end of a month, up to the last month to forecast.

        Args:
            cutoff: Month number; what became available after its last day is not used.
            horizon: Months to forecast after it, at least 1.
            needed: Which series are to be forecast; all by default. The others may lack values.

        Returns:
            names x series x months from ``first`` to ``cutoff + horizon``; NaN in the past, and in
            the future of series not needed, where no value was available.
        """
        view = self.view(cutoff, horizon)
        missing = np.isnan(view[:, :, -horizon:])
        if needed is not None:
            missing &= needed[:, np.newaxis]
        if missing.any():
            cells = np.argwhere(missing)
            few = [
                f"{self.names[name]} of {self.series[row]} in {month_label(cutoff + 1 + ahead)}"
                for name, row, ahead in cells[:SHOWN].tolist()
            ]
            raise DataError(
                f"{self.source} lacks values to forecast after {month_label(cutoff)}: "
                f"{first_few(few, total=len(cells))}. Expected a value known by then of each "
                "series in each month to forecast. Add the rows, or leave the column or these "
                "series out."
            )
        return view

    def view(self, cutoff: int, horizon: int) -> Floats:
        """Values available at the end of a month; NaN where there were none.

        Returns:
            names x series x months from ``first`` to ``cutoff + horizon``.
        """
        months = cutoff + horizon - self.first + 1
        values = np.full((len(self.names), len(self.series), self.months), np.nan)
        rows = slice(None) if self.known_by is None else self.known_by <= cutoff
        values.flat[self.cells[rows]] = self.values[rows]
        view = np.full((*values.shape[:2], months), np.nan)
        shared = min(months, self.months)
        view[:, :, :shared] = values[:, :, :shared]
        return view


WHAT: Final = "Covariate file"
_KEY: Final = ("destination", "period")
LONG: Final = ("name", "value")
AVAILABLE_AT: Final = "available_at"

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].+)?", re.ASCII)
_CELL: Final = ["name", "series", "month"]


def read_covariates(source: Path | Table, *, table: pd.DataFrame, kind: str = WHAT) -> Covariates:
    """Covariates of a panel's series.

    Args:
        source: File or frame with ``destination, period`` and either ``name, value`` or, without
            ``name``, one column of numbers a covariate; perhaps ``available_at`` (ISO 8601, UTC
            unless it has an offset), without which all is known from the start. The same name,
            series and month may occur again with another ``available_at``. An empty cell is a
            missing value.
        kind: What messages call it, before the path of a file.
        table: The panel, as ``sources.files.panel.read_panel`` gives it.

    Returns:
        Values from the panel's first month to its last or, if that is later, the file's last.
    """
    name = named(source, kind)
    rows = _long(read_rows(source, kind), name)
    is_series = rows["destination"].isin(table.index)
    unknown = sorted(rows.loc[~is_series, "destination"].dropna().unique())
    entries = _entries(rows.loc[is_series], table, name)
    first, last = int(table.columns[0]), int(table.columns[-1])
    inside = entries["month"] >= first
    outside = int((~inside).sum())
    entries = entries.loc[inside]
    if entries.empty:
        raise DataError(
            f"{name} has no value of the panel's series in its months. Expected rows of "
            f"{first_few([str(name) for name in table.index])}; series not in the panel: "
            f"{first_few(unknown) or 'none'}. Compare the names and months of both files."
        )
    names = tuple(sorted(rows["name"].dropna().unique()))
    notes = (
        f"series not in the panel, left out: {first_few(unknown)}" if unknown else "",
        f"{counted(outside, 'row')} before the panel's first month left out" if outside else "",
    )
    months = max(int(entries["month"].max()), last) - first + 1
    where = (
        pd.Index(names).get_indexer(entries["name"]),
        entries["series"],
        entries["month"] - first,
    )
    return Covariates(
        name,
        names,
        tuple(map(str, table.index)),
        first,
        months,
        np.ravel_multi_index(where, (len(names), len(table), months)),
        entries["value"].to_numpy(),
        month_numbers(entries["moment"]) if AVAILABLE_AT in rows else None,
        tuple(note for note in notes if note),
    )


def _long(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """One row per value: destination, period, name, value and, if dated, available_at."""
    needed = [*_KEY, *(LONG if "name" in rows else ())]
    dated = [AVAILABLE_AT] if AVAILABLE_AT in rows else []
    further = [name for name in rows if name not in (*_KEY, "tonnes", PART_OF, AVAILABLE_AT)]
    forms = f"{', '.join((*_KEY, *LONG))} and perhaps {AVAILABLE_AT}, or, without name, a column a "
    values = [] if further else ["of values"]
    require_columns(source, rows, [*needed, *values], expected=f"{forms}covariate")
    if "name" in rows:
        return rows[[*needed, *dated]]
    melted = rows.melt([*_KEY, *dated], further, "name", "value", ignore_index=False)
    return melted.sort_index(kind="stable")


def _entries(rows: pd.DataFrame, table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Name, series (row of the table), month, value and moment (UTC) of checked rows, oldest first.

    Rows alike stand once; any bad one is an error.
    """
    faults, names = Faults(rows), rows["name"].astype("str")
    months = faults.months(source, "period")
    values, _ = faults.numbers("value", lambda place: str(names.iloc[place]))
    faults.note(names.isna().to_numpy(), lambda _: "name is empty")
    moments = np.zeros(len(rows), "datetime64[us]")
    if AVAILABLE_AT in rows:
        texts = rows[AVAILABLE_AT].astype("str").str.strip()
        dated = texts.where(texts.str.fullmatch(_DAY).fillna(value=False).astype(bool))
        stamps = pd.to_datetime(dated, format="ISO8601", utc=True, errors="coerce")
        moments = stamps.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
        faults.note(
            np.isnat(moments),
            lambda place: f"{AVAILABLE_AT} {shown(str(texts.iloc[place]))!r} is no day or moment",
        )
    columns = {
        "name": names,
        "series": table.index.get_indexer(pd.Index(rows["destination"])),
        "month": months,
        "value": values,
        "moment": moments,
    }
    entries = pd.DataFrame(columns, rows.index)
    entries, _ = faults.once(
        entries.loc[entries["value"].notna()],
        [*_CELL, "moment"],
        lambda pair: f"{pair['name']} in {month_label(pair['month'])} stands twice",
    )
    if reasons := faults.reasons():
        few = [f"{name}: {reason}" for name, reason in reasons.items()]
        raise DataError(
            f"{source} has {counted(sum(faults.counts.values()), 'bad cell')}: {first_few(few)}. "
            "Expected a series name, a month as YYYY-MM, one finite number a name and month, or "
            f"a later {AVAILABLE_AT} with the newer one. Correct or remove those rows; nothing was "
            "used."
        )
    return entries.sort_values([*_CELL, "moment"], ignore_index=True)
