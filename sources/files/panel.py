"""Panel files: one series per destination, one row per month, as CSV, Parquet or a frame.

A series with a bad row is refused by name; the others are used.
"""

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final, TypeAlias

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd

from sources.files.file_reader import columns_of
from store.arrays import Flags, Floats, Ints
from store.errors import SHOWN, DataError, counted, first_few, shown
from store.months import YEAR, month_label

Table: TypeAlias = Any
"""Frame of pandas, polars or Arrow, with columns of any type."""

Names = tuple[str, str, str]
"""Of the columns of series, date and value."""

OURS: Final[Names] = ("destination", "period", "tonnes")
"""What the columns of a panel are called here."""

NIXTLA: Final[Names] = ("unique_id", "ds", "y")
"""What Nixtla's tools call them."""

MISSING_MARKS: Final = ("nan", "na", "n/a", "#n/a", "null", "none")
"""Words, in any case, that tools write for a missing number."""

Transform = Callable[["pd.Series[float]"], "pd.Series[float]"]
"""Of values into those that are forecast; not finite where one cannot be."""

_NUMBER: Final = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf(?:inity)?))"


def our_names(header: Sequence[str], called: Sequence[str] | None = None) -> list[str]:
    """Header in our own names.

    Args:
        called: What the file calls ``OURS``; where None, names of ``NIXTLA`` are ours too.

    Examples:
        >>> our_names(["unique_id", "ds", "y"])
        ['destination', 'period', 'tonnes']
    """
    pairs = zip(called or NIXTLA, OURS, strict=True)
    ours = {their: our for their, our in pairs if called or our not in header}
    return [ours.get(name, name) for name in header]


def names_of(text: str | None) -> Names | None:
    """Names of series, date and value in ``--columns``.

    Examples:
        >>> names_of("sku, month, sales")
        ('sku', 'month', 'sales')
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) != len(OURS) or len(set(names)) < len(OURS) or not all(names):
        raise DataError(
            f"--columns {text!r} does not name three columns. Expected those of series, date and "
            "value, e.g. --columns sku,month,sales. Correct it."
        )
    return names[0], names[1], names[2]


def named(source: Path | Table, kind: str) -> str:
    """Name of a table in messages."""
    return f"{kind} {source}" if isinstance(source, Path) else kind


def as_pandas(table: Table) -> Any:  # noqa: ANN401 - a frame, or what is none
    """A frame of any make as one of pandas in types of numpy; anything else as it is."""
    if not isinstance(table, pd.DataFrame):
        frame = nw.from_native(table, pass_through=True)
        frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
        table = frame.to_pandas() if isinstance(frame, nw.DataFrame) else table
    return table.apply(_plain) if isinstance(table, pd.DataFrame) else table


def _plain(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column in a type of numpy, text, or pandas' own type of dates and categories."""
    kind: Any = column.dtype
    if isinstance(kind, pd.StringDtype) or getattr(kind, "type", None) is str:
        return column.astype("str")
    if isinstance(kind, pd.CategoricalDtype) or not hasattr(kind, "numpy_dtype"):
        return column
    if kind.numpy_dtype.kind in "iufb":
        return column.astype(float if column.isna().any() else kind.numpy_dtype)
    if kind.numpy_dtype.kind == "M":
        zone = kind.pyarrow_dtype.tz
        return column.astype(pd.DatetimeTZDtype("us", zone) if zone else "datetime64[us]")
    return column.astype(object)


def read_rows(
    source: Path | Table, kind: str, *, called: Sequence[str] | None = None
) -> pd.DataFrame:
    """Table with columns in our own names and rows numbered as an editor shows them.

    Destinations are text (``names_in``). The header of a CSV file is row 1, the first row of
    Parquet row 1, that of a frame row 0. Cells of a CSV file are text, empty ones missing.

    Args:
        source: File or frame; not modified.
        kind: Kind of table, to begin a message with, e.g. ``Panel``.
        called: What it calls ``OURS``, as ``our_names`` takes it.
    """
    name = named(source, kind)
    table, first = columns_of(source, name) if isinstance(source, Path) else (source, 0)
    frame: pd.DataFrame = as_pandas(table)
    frame = frame.set_axis(our_names([str(column) for column in frame.columns], called), axis=1)
    if twice := sorted(set(frame.columns[frame.columns.duplicated()])):
        raise DataError(
            f"{name} has column {', '.join(twice)} twice. Expected it once. Rename or remove one."
        )
    if frame.empty:
        raise DataError(f"{name} has no rows. Expected a row a series and month. Fill it.")
    if OURS[0] in frame:
        frame = frame.assign(destination=names_in(frame[OURS[0]]))
    return frame.set_axis(pd.RangeIndex(first, first + len(frame)))


def require_columns(
    table: str, header: Iterable[Hashable], needed: Sequence[str], expected: str = ""
) -> None:
    """Refuse a table that lacks a column; ``expected`` says more than the needed ones."""
    names = [str(name) for name in header]
    if missing := [name for name in needed if name not in names]:
        raise DataError(
            f"{table} has no column {', '.join(missing)}. Expected "
            f"{expected or ', '.join(needed)}. It has {', '.join(names[:8])}. Rename or add the "
            f"column; {_NAMING}."
        )


_NAMING: Final = "id_col=, time_col= and target_col= name others, of a file --columns"

_HEADER_MONTH: Final = re.compile(r"\d{4}-?(0[1-9]|1[0-2])")


def _check_long(name: str, rows: pd.DataFrame, called: Names, *, has_dates: bool) -> None:
    """Refuse a panel with a column a month or series, and one that lacks a column."""
    names, missing = [*map(str, rows.columns)], [our for our in OURS if our not in rows]
    has_months = 2 * sum(bool(_HEADER_MONTH.match(label)) for label in names) > len(names)
    has_series = missing == [OURS[0], OURS[2]] and rows[OURS[1]].is_unique
    if missing and (has_months or has_series or has_dates):
        turn = f'df.melt(df.columns[0], var_name="{called[1]}", value_name="{called[2]}")'
        raise DataError(
            f"{name} has a column a month or series. Expected one row a series and month, in "
            f"columns {', '.join(called)}. Turn it with {turn}; months in the rows: "
            "df.T.reset_index() first, of a column of dates "
            f'df.melt("{called[1]}", var_name="{called[0]}", value_name="{called[2]}").'
        )
    theirs = dict(zip(OURS, called, strict=True))
    require_columns(name, [theirs.get(label, label) for label in names], called)


def names_in(ids: "pd.Series[Any]") -> "pd.Series[str]":
    """Names of series as text; whole numbers without decimals, as integers beside a gap have."""
    texts = ids.astype("str")
    return texts.str.removesuffix(".0") if pd.api.types.is_float_dtype(ids) else texts


def numbers_of(column: "pd.Series[str] | pd.Series[float]") -> tuple[Floats, Flags]:
    """Numbers of a column, NaN where there is none, and a mask of the wrong cells.

    Examples:
        >>> numbers_of(pd.Series(["1.5", "", "about 3"]))
        (array([1.5, nan, nan]), array([False, False,  True]))
    """
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        plain = np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
        return plain, np.zeros(len(plain), dtype=np.bool_)
    texts = column.astype("str").str.strip()
    is_number = texts.str.fullmatch(_NUMBER, na=False).to_numpy(dtype=np.bool_)
    values = np.full(len(texts), np.nan)
    values[is_number] = [float(text) for text in texts[is_number]]
    is_missing = (texts.isna() | texts.str.lower().isin(["", *MISSING_MARKS])).to_numpy()
    return values, ~is_number & ~is_missing


_YEARS: Final = (1700, 2199)
"""Years accepted. Others are typing errors that would make a dense table huge."""

_MONTH: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<mark>[-/])(?P<month>\d{1,2})(?:(?P=mark)(?P<day>\d{1,2})(?:[T ].+)?)?"
    r"|(?P<undashed>\d{2})(?:\d{2})?)",
    re.ASCII,
)
_OTHER: Final = re.compile(r"\d{4}-?(Q[1-4]|W\d{2})|\d{4}-\d{2}-\d{2}/\d{4}-\d{2}-\d{2}", re.ASCII)
"""Quarters and weeks, as ISO 8601 and pandas write them."""

_MONTHLY: Final = (
    "Expected one row a series and month, which is what is forecast. Add it up by month"
)

_LEAST: Final = 4
"""Different months that tell how far apart a panel's are."""

MOST_DATES: Final = 1.5
"""Dates of a series in a month, on average, beyond which they are not months."""


def read_month(text: str) -> int:
    """Month number (12 x year + month - 1) of a text: YYYY-MM, YYYYMM or a day of the month.

    Raises:
        ValueError: The text is not a month; the message says why.

    Examples:
        >>> read_month("2025-04"), read_month("202504"), read_month("2025-04-30")
        (24303, 24303, 24303)
    """
    match = _MONTH.fullmatch(text.strip().removesuffix(".0"))
    if not match:
        raise ValueError(f"{shown(text)} is no month" if text.strip() else "period is empty")
    year, month = int(match["year"]), int(match["month"] or match["undashed"])
    if not 1 <= month <= YEAR:
        raise ValueError(f"{shown(text)} is no month")
    if not _YEARS[0] <= year <= _YEARS[1]:
        raise ValueError(f"{shown(text)} lies outside the years {_YEARS[0]} to {_YEARS[1]}")
    return year * YEAR + month - 1


def months_in(rows: pd.DataFrame, name: str, called: str = OURS[1]) -> tuple[Ints, dict[int, str]]:
    """Month number of each row, -1 if it has none, and the errors by position."""
    codes, distinct = pd.factorize(rows["period"])
    texts = [str(label) for label in distinct]
    if 2 * sum(bool(_OTHER.fullmatch(text)) for text in texts) > len(texts):
        raise DataError(f"{name} has quarters or weeks, such as {texts[0]}. {_MONTHLY}.")
    numbers, faults = np.full(len(texts) + 1, -1, dtype=np.int64), {-1: f"{called} is empty"}
    for place, text in enumerate(texts):
        try:
            numbers[place] = read_month(text)
        except ValueError as err:
            faults[place] = str(err)
    months = numbers[codes]
    _check_monthly(months, codes, rows["destination"], name)
    return months, {int(row): faults[codes[row]] for row in np.flatnonzero(months < 0)}


def _check_monthly(months: Ints, codes: Ints, series: "pd.Series[str]", name: str) -> None:
    """Refuse panels of which most months hold several dates, or only every third month is there."""
    rows = pd.DataFrame({"series": series.to_numpy(), "month": months, "date": codes})
    rows = rows.loc[months >= 0]
    dates, places = (
        len(rows[keys].drop_duplicates()) for keys in (list(rows), ["series", "month"])
    )
    if dates > MOST_DATES * places:
        raise DataError(f"{name} has several dates a month, as weeks and days do. {_MONTHLY}.")
    present = np.unique(rows["month"].to_numpy())
    if len(present) >= _LEAST and (step := int(np.gcd.reduce(np.diff(present)))) > 1:
        raise DataError(f"{name} has dates that are {step} months apart. {_MONTHLY}.")


PART_OF: Final = "part_of"

NEGATIVE: Final = " is negative"
"""Part of the reason for refusing a series."""

TAKES_NEGATIVE: Final = (
    "`--allow-negative` forecasts negative values too, in Python Forecaster(allow_negative=True)"
)

SPARSE_END: Final = 0.1
"""Share of the series with a value in the last month below which a note is given."""

_LARGEST: Final = 1e100
"""Largest value accepted. Squares and sums of larger ones overflow and would spoil every series."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Usable content of a panel."""

    table: pd.DataFrame
    """One row a series (index: destination, sorted), one column a month from the first to the last
    with a value, as consecutive month numbers; NaN is a gap."""
    refused: dict[str, str]
    """Series left out of the table and why, with rows and values."""
    notes: tuple[str, ...]
    parts: pd.DataFrame | None
    """Columns ``destination`` and ``part_of`` of its series; None without them."""
    estimated: pd.MultiIndex
    """Destination and month number of the rows that a column ``kind`` says are estimated."""


@dataclass(slots=True)
class Faults:
    """Bad rows of a table, by series."""

    rows: pd.DataFrame
    messages: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, wrong: Flags, describe: Callable[[int], str]) -> None:
        """Note bad rows; the first few of a series are described."""
        names = self.rows["destination"]
        places = np.flatnonzero(wrong & names.notna().to_numpy())
        for name, rows in pd.Series(places).groupby(names.iloc[places].to_numpy()):
            texts = self.messages.setdefault(str(name), [])
            few = rows.tolist()[: SHOWN - len(texts)]
            texts += [f"row {self.rows.index[place]}: {describe(place)}" for place in few]
            self.counts[str(name)] = self.counts.get(str(name), 0) + len(rows)

    def reasons(self) -> dict[str, str]:
        """Each series with a fault, and its faults in words."""
        return {
            name: "; ".join(texts)
            + (f"; ... ({self.counts[name]} in all)" if self.counts[name] > len(texts) else "")
            for name, texts in sorted(self.messages.items())
        }

    def months(self, name: str, called: str) -> Ints:
        """Month number of each row, -1 with a note if it has none."""
        months, texts = months_in(self.rows, name, called)
        self.note(months < 0, lambda place: texts[place])
        return months

    def numbers(self, column: str, label: Callable[[int], str]) -> tuple[Floats, Flags]:
        """Numbers of a column, NaN where there is none; wrong cells are marked and noted."""
        values, wrong = numbers_of(self.rows[column])
        is_infinite = np.isinf(values)
        cells = self.rows[column].astype("str").fillna("").tolist() if wrong.any() else []
        self.note(wrong, lambda place: f"{label(place)} {shown(cells[place])!r} is no number")
        self.note(is_infinite, lambda place: f"{label(place)} {values[place]} is not finite")
        return values, wrong | is_infinite

    def once(
        self, values: pd.DataFrame, keys: Sequence[str], cell: Callable[["pd.Series[Any]"], str]
    ) -> tuple[pd.DataFrame, int]:
        """Values without rows that repeat the keys of an earlier one, and how many do so alike.

        Others are noted.

        Args:
            values: The keys and a column ``value``, labelled by row; not modified.
        """
        is_again = values.duplicated(keys)
        if not is_again.any():
            return values, 0
        again, first = values.loc[is_again], values.loc[~is_again]
        pairs = again.reset_index().merge(first.reset_index(), on=list(keys), suffixes=("", "_of"))
        differ = pairs.loc[pairs["value"] != pairs["value_of"]].set_index("index")

        def describe(place: int) -> str:
            pair = differ.loc[self.rows.index[place]]
            here, there, row = pair["value"], pair["value_of"], pair["index_of"]
            return f"{cell(pair)}, {here} here and {there} in row {row}"

        self.note(self.rows.index.isin(differ.index), describe)
        return first, len(again) - len(differ)


def read_panel(
    source: Path | Table,
    columns: Names | None = None,
    *,
    allow_negative: bool = False,
    transform: Transform | None = None,
) -> Panel:
    """Valid series of a panel as a dense table, with refused series and notes.

    Args:
        source: File or frame with ``destination, period, tonnes`` and perhaps ``part_of`` and
            ``kind``; further columns are ignored. Rows may come in any order; an empty ``tonnes``
            is a gap; duplicate rows are read once. The first row of a frame is row 0.
        columns: What it calls ``OURS``; None takes these or those of Nixtla's tools.
    """
    name, source = named(source, "Panel"), as_pandas(source)
    rows = read_rows(source, "Panel", called=columns)
    is_theirs = not isinstance(source, Path) and NIXTLA[0] in source.columns
    called = columns or (NIXTLA if is_theirs else OURS)
    _check_long(
        name, rows, called, has_dates=isinstance(getattr(source, "index", None), pd.DatetimeIndex)
    )
    labels = rows["destination"]
    rows = rows.assign(destination=labels.where(labels.str.strip() != ""))
    faults = Faults(rows)
    months, values = _values(
        faults, name, called, allow_negative=allow_negative, transform=transform
    )
    filled = pd.DataFrame({"destination": rows["destination"], "month": months, "value": values})
    filled = filled.loc[np.isfinite(values) & (months >= 0) & rows["destination"].notna()]
    once, again = faults.once(
        filled,
        ["destination", "month"],
        lambda pair: f"{month_label(pair['month'])} stands twice with different {called[2]}",
    )
    reasons = faults.reasons()
    once = once.loc[~once["destination"].isin(list(reasons))]
    if once.empty:
        few = first_few([f"{series}: {reason}" for series, reason in reasons.items()])
        remedy = f" {TAKES_NEGATIVE}." if NEGATIVE in few else ""
        raise DataError(
            f"{name} has no series that can be used. {few}. Expected a series name, a month as "
            f"YYYY-MM and one number of at least 0 a row. Correct or remove the rows.{remedy}"
        )
    table, kinds = _dense(once), rows["kind"] if "kind" in rows else pd.Series("", rows.index)
    is_estimated = kinds.eq("estimated") & (months >= 0)
    of_used = rows["destination"].isin(table.index)
    parts = rows.loc[of_used, ["destination", PART_OF]] if PART_OF in rows else None
    estimated = pd.MultiIndex.from_arrays([labels[is_estimated], months[is_estimated]])
    return Panel(table, reasons, tuple(_notes(rows, called, again, table)), parts, estimated)


def _values(
    faults: Faults, name: str, called: Names, *, allow_negative: bool, transform: Transform | None
) -> tuple[Ints, Floats]:
    """Month number and value of each row; what is wrong with them is noted."""
    label, months = called[2], faults.months(name, called[1])
    values, wrong = faults.numbers("tonnes", lambda _: label)
    if transform is not None:
        before, values = values, np.asarray(transform(pd.Series(values)), dtype=float)
        lost = np.isfinite(before) & ~np.isfinite(values)
        faults.note(lost, lambda place: f"target_transforms cannot take {label} {before[place]}")
        wrong, values = wrong | lost, np.where(lost, np.nan, values)
    finite = np.isfinite(values)
    if not allow_negative:
        faults.note(finite & (values < 0), lambda place: f"{values[place]} {label}{NEGATIVE}")
    large = finite & (np.abs(values) > _LARGEST)
    faults.note(large, lambda place: f"{values[place]} {label} is over {_LARGEST:g}")
    names = faults.rows["destination"]
    empty = ~names.isin(names[finite | wrong].dropna().unique()).to_numpy()
    faults.note(empty, lambda _: f"{label} is empty, as in all rows of the series")
    return months, values + 0.0


def _dense(values: pd.DataFrame) -> pd.DataFrame:
    codes, names = pd.factorize(values["destination"], sort=True)
    months = values["month"].to_numpy()
    first = int(months.min())
    grid = np.full((len(names), int(months.max()) - first + 1), np.nan)
    grid[codes[::-1], months[::-1] - first] = values["value"].to_numpy()[::-1]
    return pd.DataFrame(
        grid,
        index=pd.Index(names, name="destination", dtype="str"),
        columns=pd.Index(first + np.arange(grid.shape[1]), name="number"),
        copy=False,
    )


def _notes(rows: pd.DataFrame, called: Names, again: int, table: pd.DataFrame) -> Iterator[str]:
    """Yield what is unusual in a panel and yet used, or left out."""
    unnamed = rows.index[rows["destination"].isna() & rows["tonnes"].notna()]
    if len(unnamed):
        numbers = first_few([f"row {row}" for row in unnamed])
        yield f"rows without {called[0]} belong to no series and were left out: {numbers}"
    if again:
        repeated = counted(again, "row")
        yield f"{repeated} with the same series, month and {called[2]} as another, read once"
    has_value = np.isfinite(table.to_numpy())
    span = has_value.shape[1] - has_value.argmax(axis=1) - has_value[:, ::-1].argmax(axis=1)
    gaps = span - has_value.sum(axis=1)
    if gaps.any():
        missing = counted(int(gaps.sum()), "month")
        yield f"gaps: {missing} in {counted(int((gaps > 0).sum()), 'series')}"
    if (single := has_value.sum(axis=1) == 1).any():
        yield f"one value only: {first_few(table.index[single])}"
    last, count = month_label(int(table.columns[-1])), int(has_value[:, -1].sum())
    if count < SPARSE_END * len(table):
        yield f"the last month, {last}, has a value of {count} of {len(table)} series only"
    elif count < len(table):
        yield f"no value in the last month, {last}: {first_few(table.index[~has_value[:, -1]])}"


_COLUMNS: Final = ("destination", "part_of")

Parts = dict[str, tuple[str, ...]]
"""Parts of each sum: destinations and smaller sums."""


def sums_in(rows: pd.DataFrame, table: str, *, left_out: Collection[str] = ()) -> Parts:
    """Sums of a table, in its order; a destination reached in several ways counts once.

    Args:
        rows: ``destination, part_of``: the sums a destination is part of, in one row with ``;``
            between them or in several rows; a sum may itself be part of larger ones. Not modified.
        table: Names the table in messages.
        left_out: Destinations that cannot be used: never parts of a sum, and a sum without other
            parts is left out with them.
    """
    require_columns(table, rows, _COLUMNS)
    links = rows[list(_COLUMNS)].dropna().astype("str")
    pairs = links.assign(part_of=links["part_of"].str.split(";")).explode("part_of")
    pairs["part_of"] = pairs["part_of"].str.strip()
    named = pairs[pairs["part_of"].ne("")].drop_duplicates().groupby("part_of", sort=False)
    parts = {str(total): tuple(names) for total, names in named["destination"]}
    if len(rows) and not parts:
        raise DataError(
            f"{table} names no sum: all cells of part_of are empty. Expected the sums that "
            "series are part of. Fill them in, or leave the table out."
        )
    try:
        smaller_first = list(TopologicalSorter(parts).static_order())
    except CycleError as err:
        circle = " is part of ".join(err.args[1])
        raise DataError(
            f"Sums of {table} run in a circle: {circle}. Expected no sum to be part of itself. "
            "Remove one of these links."
        ) from err
    used: Parts = {}
    for name in smaller_first:
        inner = (part for part in parts.get(name, ()) if part in used or part not in parts)
        if members := tuple(part for part in inner if part not in left_out or part in used):
            used[name] = members
    return {name: used[name] for name in parts if name in used}
