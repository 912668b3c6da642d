"""Checks of the rows of a panel file; faults are recorded and described by series."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sources.files.cells import CategoricalColumn, NumericColumn
from sources.files.dates import NO_PERIOD, PeriodTexts
from sources.files.long_format import LongFile
from store.errors import SHOWN
from store.frequency import Frequency


@dataclass(slots=True)
class SeriesFaults:
    """Faults found so far."""

    file: LongFile
    names: tuple[str, ...]
    """Name by code of a series."""
    messages: defaultdict[str, list[tuple[int, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """The first faults of each series: the row they are sorted by and the text."""
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, row: int, text: str) -> None:
        """Note one fault."""
        self.messages[name].append((row, text))
        self.counts[name] += 1

    def add_rows(
        self,
        codes: NDArray[np.int32],
        places: NDArray[np.int64],
        describe: Callable[[int], str],
    ) -> None:
        """Note a fault for each of some rows; only the first few of a series are described.

        Args:
            codes: Code of the series by row of the file; rows of -1 have none and are skipped.
            places: Bad rows, ascending.
            describe: Returns what is wrong with a row, to follow ``row 17: ``.
        """
        places = places[codes[places] >= 0]
        order = places[np.argsort(codes[places], kind="stable")]
        series, start, count = np.unique(codes[order], return_index=True, return_counts=True)
        rank = np.arange(len(order)) - np.repeat(start, count)
        few = order[rank < SHOWN]
        for place, row in zip(few.tolist(), self.file.rows(few).tolist(), strict=True):
            self.messages[self.names[codes[place]]].append((row, f"row {row}: {describe(place)}"))
        for code, times in zip(series.tolist(), count.tolist(), strict=True):
            self.counts[self.names[code]] += times

    def sound(self) -> NDArray[np.bool_]:
        """Return for each name whether it has no fault so far."""
        return np.array([name not in self.counts for name in self.names], dtype=bool)

    def reasons(self, *, most: int = SHOWN) -> dict[str, str]:
        """Describe the faults of each series, in the order of names and rows.

        Args:
            most: Faults described per series, at most ``store.errors.SHOWN``; the rest are counted.
        """
        return {name: self._reason(name, most) for name in sorted(self.counts)}

    def _reason(self, name: str, most: int) -> str:
        texts = [text for _, text in sorted(self.messages[name])[:most]]
        more = self.counts[name] - len(texts)
        return "; ".join(texts) + (f"; ... ({self.counts[name]} in all)" if more else "")


LARGEST: Final = 1e100
"""Largest value accepted. Squares and sums of larger ones overflow and would spoil every series."""

EMPTY_BEFORE_LATE: Final = 1
"""Years without any row after which a few late rows are taken for errors."""

EMPTY_AFTER_EARLY: Final = 10
"""Years without any row before which a few early rows are taken for errors."""

FEW_SERIES: Final = 10
"""One series in so many counts as few, and so does a single one."""

LEAST_ROWS: Final = 12
"""Rows beyond such a gap from which a series is accepted."""

Side = Literal["after", "before"]


@dataclass(frozen=True, slots=True)
class PanelRows:
    """The rows of a file, decoded; arrays are by row."""

    file: LongFile
    series: CategoricalColumn
    periods: NDArray[np.int32]
    """Place of the row's text in ``texts``."""
    texts: PeriodTexts
    frequency: Frequency
    """What the periods are."""
    tonnes: NumericColumn
    parents: CategoricalColumn | None
    """Column ``part_of``, if there is one."""

    @property
    def months(self) -> NDArray[np.int32]:
        """Return the period's number by row, ``NO_PERIOD`` where there is none."""
        return self.texts.numbers[self.periods]

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Return for each row whether ``tonnes`` is filled."""
        return self.tonnes.wrong | ~np.isnan(self.tonnes.floats)


@dataclass(frozen=True, slots=True)
class PanelCells:
    """Positions of rows in a dense table, series by months."""

    rows: NDArray[np.int64]
    series: NDArray[np.int64]
    """Codes of the series, ascending."""
    first: int
    """First month."""
    width: int
    """Months from the first to the last."""
    keys: NDArray[np.int64]
    """Place in the flattened table by row."""

    @property
    def size(self) -> int:
        """Return the number of cells of the table."""
        return len(self.series) * self.width


def check_ragged_lines(rows: PanelRows, faults: SeriesFaults) -> None:
    """Note lines with too many or too few cells."""
    for line in rows.file.ragged:
        if line.destination.strip():
            faults.add(line.destination, line.row, f"row {line.row}: {line.message}")


def check_months(rows: PanelRows, faults: SeriesFaults) -> None:
    """Note cells that are no periods of the panel's frequency."""
    wrong = np.flatnonzero(rows.months == NO_PERIOD)
    faults.add_rows(rows.series.codes, wrong, lambda place: rows.texts.faults[rows.periods[place]])


def check_values(rows: PanelRows, faults: SeriesFaults, *, allow_negative: bool = False) -> None:
    """Note cells that are not numbers, or not numbers that can be forecast."""
    codes, values = rows.series.codes, rows.tonnes.floats

    def cell(place: int) -> str:
        return f"tonnes {rows.file.cell('tonnes', place)!r}"

    faults.add_rows(
        codes, np.flatnonzero(rows.tonnes.wrong), lambda place: f"{cell(place)} is no number"
    )
    faults.add_rows(
        codes, np.flatnonzero(np.isinf(values)), lambda place: f"{cell(place)} is not finite"
    )
    if not allow_negative:
        below = np.flatnonzero(np.isfinite(values) & (values < 0))
        faults.add_rows(codes, below, lambda place: f"{values[place]} tonnes is negative")
    above = np.flatnonzero(np.isfinite(values) & (np.abs(values) > LARGEST))
    faults.add_rows(codes, above, lambda place: f"{values[place]} tonnes is over {LARGEST:g}")


def check_emptiness(rows: PanelRows, faults: SeriesFaults) -> None:
    """Note series without any filled cell."""
    codes = rows.series.codes
    rows_of = np.bincount(codes[codes >= 0], minlength=len(faults.names))
    filled = np.bincount(codes[(codes >= 0) & rows.filled], minlength=len(faults.names))
    for code in np.flatnonzero((rows_of > 0) & (filled == 0)).tolist():
        faults.add(faults.names[code], 0, f"tonnes is empty in all its rows ({rows_of[code]})")


def check_parents(rows: PanelRows, faults: SeriesFaults) -> None:
    """Note rows that give a series another parent than its first row does."""
    if rows.parents is None:
        return
    codes, parents, texts = rows.series.codes, rows.parents.codes, rows.parents.texts
    placed = np.flatnonzero((codes >= 0) & (parents >= 0))
    first = np.full(len(faults.names), -1)
    first[codes[placed[::-1]]] = placed[::-1]
    differ = placed[parents[placed] != parents[first[codes[placed]]]]

    def describe(place: int) -> str:
        other = int(first[codes[place]])
        return (
            f"part_of is {texts[parents[place]]!r}, "
            f"but {texts[parents[other]]!r} in row {rows.file.row(other)}"
        )

    faults.add_rows(codes, differ, describe)


def check_far_months(rows: PanelRows, faults: SeriesFaults) -> None:
    """Note the rows of few series that lie far after or far before all others.

    They are typing errors: one late row would end the panel in a month no other series reaches.
    """
    usable = usable_rows(rows, faults)
    for side in ("after", "before"):
        while len(far := _far(rows, usable, side)):
            rest = np.delete(usable, np.searchsorted(usable, far))
            _note_far(rows, faults, far, rest, side)
            usable = usable_rows(rows, faults)


def check_repeats(rows: PanelRows, faults: SeriesFaults) -> None:
    """Note rows that differ from the first of the same series and month."""
    usable = usable_rows(rows, faults)
    if not len(usable):
        return
    cells = cells_of(rows, usable)
    months, values = rows.months, rows.tonnes.floats
    first = np.empty(cells.size, dtype=np.int64)
    first[cells.keys[::-1]] = cells.rows[::-1]
    before = first[cells.keys]
    differ = values[cells.rows] != values[before]
    earlier = dict(zip(cells.rows[differ].tolist(), before[differ].tolist(), strict=True))

    def describe(place: int) -> str:
        other = earlier[place]
        return (
            f"{rows.frequency.label(int(months[place]))} stands twice with different tonnes, "
            f"{values[place]} here and {values[other]} in row {rows.file.row(other)}"
        )

    faults.add_rows(rows.series.codes, cells.rows[differ], describe)


def cells_of(rows: PanelRows, places: NDArray[np.int64]) -> PanelCells:
    """Return the positions of at least one row in a dense table of their series and months."""
    codes, months = rows.series.codes[places], rows.months[places]
    series = present(codes)
    position = np.empty(len(rows.series.texts), dtype=np.int64)
    position[series] = np.arange(len(series))
    first, last = int(months.min()), int(months.max())
    width = last - first + 1
    return PanelCells(places, series, first, width, position[codes] * width + months - first)


def present(numbers: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the distinct values of small non-negative numbers; faster than ``np.unique``."""
    return np.flatnonzero(np.bincount(numbers))


def usable_rows(rows: PanelRows, faults: SeriesFaults) -> NDArray[np.int64]:
    """Return the rows with a value of valid series, ascending."""
    sound = np.append(faults.sound(), [False])
    return np.flatnonzero(sound[rows.series.codes] & ~np.isnan(rows.tonnes.floats))


def _note_far(
    rows: PanelRows,
    faults: SeriesFaults,
    far: NDArray[np.int64],
    rest: NDArray[np.int64],
    side: Side,
) -> None:
    months, label = rows.months, rows.frequency.label
    end = f"ends in {label(int(months[rest].max()))}"
    if side == "before":
        end = f"begins in {label(int(months[rest].min()))}"
    faults.add_rows(
        rows.series.codes,
        far,
        lambda place: (
            f"{label(int(months[place]))} lies far {side} the rest of the panel, which {end}"
        ),
    )


def _far(rows: PanelRows, usable: NDArray[np.int64], side: Side) -> NDArray[np.int64]:
    """Return the rows of few series beyond a gap of months without any row."""
    months, codes = rows.months[usable], rows.series.codes[usable]
    if side == "before":
        months = -months
    years = EMPTY_BEFORE_LATE if side == "after" else EMPTY_AFTER_EARLY
    beyond = _beyond_hole(months, years * rows.frequency.year)
    few, total = len(present(codes[beyond])), len(present(codes))
    is_few = total > 1 and few <= max(1, total // FEW_SERIES)
    return usable[beyond] if is_few and beyond.sum() < LEAST_ROWS * few else usable[:0]


def _beyond_hole(months: NDArray[np.int32], empty: int) -> NDArray[np.bool_]:
    """Return which months lie after the last gap of more than ``empty`` months."""
    low = int(months.min(initial=0))
    there = present(months - low) + low
    holes = np.flatnonzero(np.diff(there) > empty)
    return months > there[holes[-1]] if len(holes) else np.zeros(len(months), dtype=bool)
