"""Faults of the series of a file, by name and row, with a few rows described for each."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sources.files.long_format import LongFile
from store.errors import SHOWN


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
