"""Rows of a covariate file, decoded to quantity, series and month, with their errors."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sources.files.cells import NumericColumn
from sources.files.dates import NO_PERIOD, PeriodTexts, read_dates
from sources.files.long_format import LongFile, read_long_file, read_long_frame
from store.errors import SHOWN, DataError, counted, first_few
from store.frequency import Frequency

WHAT: Final = "Covariate file"
KEY: Final = ("destination", "period")
LONG: Final = ("name", "value")
AVAILABLE_AT: Final = "available_at"

NO_COVARIATES: Final = ("tonnes", "part_of")
"""Columns of a panel that are not covariates: the forecast quantity and the tree."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A column of values."""

    column: str
    names: NDArray[np.int32]
    """Place of the covariate's name by row, -1 where it has none."""
    numbers: NumericColumn


@dataclass(frozen=True, slots=True)
class CovariateRows:
    """The rows of a file, decoded; arrays are by row."""

    file: LongFile
    series: NDArray[np.int32]
    """Row of the panel's table, -1 where the destination is not in it."""
    unknown: tuple[str, ...]
    """Destinations that are not in it."""
    unnamed: NDArray[np.bool_]
    periods: NDArray[np.int32]
    """Place of the row's text in ``texts``."""
    texts: PeriodTexts
    moments: NDArray[np.datetime64] | None
    """When the row became available, NaT where unreadable; None without the column."""
    names: tuple[str, ...]
    """The covariates, sorted."""
    quantities: tuple[Quantity, ...]
    """One in the long form, one a covariate in the wide."""
    text_columns: tuple[str, ...]
    """Columns of the wide form left out because they have no numbers."""

    @property
    def months(self) -> NDArray[np.int32]:
        """Return the period's number by row, ``NO_PERIOD`` where there is none."""
        return self.texts.numbers[self.periods]


@dataclass(slots=True)
class _Problems:
    """Bad rows found so far."""

    file: LongFile
    messages: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0

    def add(self, wrong: NDArray[np.bool_], describe: Callable[[int], str]) -> None:
        """Count bad rows and describe the first few."""
        places = np.flatnonzero(wrong)
        self.count += len(places)
        few = places[:SHOWN]
        rows = self.file.rows(few).tolist()
        self.messages += [
            (row, describe(place)) for row, place in zip(rows, few.tolist(), strict=True)
        ]

    def raise_if_any(self) -> None:
        """Raise one error for all."""
        if not self.count:
            return
        texts = [f"row {row}: {text}" for row, text in sorted(self.messages)]
        few = first_few(texts, total=self.count)
        raise DataError(
            f"{self.file.what} has {counted(self.count, 'bad cell')}: {few}. "
            f"Expected a series name, a month as YYYY-MM, finite numbers and, if there is a column "
            f"{AVAILABLE_AT}, a UTC moment. Correct or remove those rows; nothing was used."
        )


def read_rows(
    source: Path | pd.DataFrame, table: pd.DataFrame, frequency: Frequency
) -> CovariateRows:
    """Return the rows of a file or a frame, decoded and checked.

    Raises:
        DataError: The file cannot be read, lacks a column or has bad cells in rows of the panel's
            series.
    """
    if isinstance(source, pd.DataFrame):
        file = read_long_frame(source, what=WHAT, pick=partial(_columns, WHAT))
    else:
        file = read_long_file(source, what=WHAT, pick=partial(_columns, f"{WHAT} {source}"))
    rows = _decoded(file, table, frequency)
    _check(rows)
    return rows


def _columns(what: str, names: Sequence[str]) -> list[str]:
    needed = [*KEY, *(LONG if "name" in names else ())]
    missing = [name for name in needed if name not in names]
    further = [name for name in names if name not in (*KEY, *NO_COVARIATES, AVAILABLE_AT)]
    if missing or not further:
        lacking = f"has no column {', '.join(missing)}" if missing else "has no column of values"
        raise DataError(
            f"{what} {lacking}. Expected {', '.join((*KEY, *LONG))} and perhaps "
            f"{AVAILABLE_AT}, or, without name, a column a covariate. It has "
            f"{', '.join(names[:8])}. Rename or add the column."
        )
    dated = [AVAILABLE_AT] if AVAILABLE_AT in names else []
    return [*needed, *dated] if "name" in names else [*KEY, *dated, *further]


def _decoded(file: LongFile, table: pd.DataFrame, frequency: Frequency) -> CovariateRows:
    destinations, periods = file.categorical("destination"), file.categorical("period")
    places = table.index.get_indexer(pd.Index(destinations.texts, dtype="str"))
    by_code = np.append(places, [-1]).astype(np.int32)
    unknown = [text for text, place in zip(destinations.texts, places, strict=True) if place < 0]
    return CovariateRows(
        file,
        by_code[destinations.codes],
        tuple(unknown),
        destinations.codes < 0,
        periods.codes,
        read_dates((*periods.texts, "")).periods(frequency),
        _moments(file) if AVAILABLE_AT in file.columns else None,
        *(_long(file) if "name" in file.columns else _wide(file)),
    )


def _moments(file: LongFile) -> NDArray[np.datetime64]:
    """Return when each row became available, in UTC; a date means its first moment."""
    column = file.categorical(AVAILABLE_AT)
    texts = [text.strip() for text in column.texts]
    days = [text if _DAY.fullmatch(text) else None for text in (*texts, "")]
    stamps = pd.to_datetime(
        pd.Series(days, dtype="str"), format="ISO8601", utc=True, errors="coerce"
    )
    return stamps.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")[column.codes]


def _long(file: LongFile) -> tuple[tuple[str, ...], tuple[Quantity, ...], tuple[str, ...]]:
    """Return the covariates of a file that names them by row."""
    names = file.categorical("name")
    return names.texts, (Quantity("value", names.codes, file.numbers("value")),), ()


def _wide(file: LongFile) -> tuple[tuple[str, ...], tuple[Quantity, ...], tuple[str, ...]]:
    """Return the covariates of a file with one column each, and the columns without numbers."""
    columns = sorted(set(file.columns) - {*KEY, AVAILABLE_AT})
    numbers = {name: file.numbers(name) for name in columns}
    names = tuple(name for name in columns if not np.isnan(numbers[name].floats).all())
    if not names:
        raise DataError(
            f"{file.what} has no column of numbers beside {', '.join(KEY)}: {', '.join(columns)} "
            "hold none. Expected one a covariate. Add the column."
        )
    quantities = tuple(
        Quantity(name, np.full(len(file), place, dtype=np.int32), numbers[name])
        for place, name in enumerate(names)
    )
    return names, quantities, tuple(name for name in columns if name not in names)


def _check(rows: CovariateRows) -> None:
    """Refuse rows of the panel's series with an unreadable cell."""
    file, known = rows.file, rows.series >= 0
    problems = _Problems(file)
    for line in file.ragged:
        problems.messages.append((line.row, line.message))
        problems.count += 1
    problems.add(
        known & (rows.months == NO_PERIOD),
        lambda place: rows.texts.faults[rows.periods[place]],
    )
    for quantity in rows.quantities:
        _check_quantity(quantity, known, problems)
    if rows.moments is not None:
        problems.add(
            known & np.isnat(rows.moments),
            lambda place: f"{AVAILABLE_AT} {file.cell(AVAILABLE_AT, place)!r} is no day or moment",
        )
    problems.raise_if_any()


def _check_quantity(quantity: Quantity, known: NDArray[np.bool_], problems: _Problems) -> None:
    def cell(place: int) -> str:
        return f"{quantity.column} {problems.file.cell(quantity.column, place)!r}"

    problems.add(known & quantity.numbers.wrong, lambda place: f"{cell(place)} is no number")
    problems.add(
        known & np.isinf(quantity.numbers.floats), lambda place: f"{cell(place)} is not finite"
    )
    problems.add(known & (quantity.names < 0), lambda _: "name is empty")
