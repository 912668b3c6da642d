"""What is wrong with the series of a file, told by name and row, a few rows of each."""

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
    told: defaultdict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    """Some faults by series: the row they are sorted by and the text."""
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, row: int, text: str) -> None:
        """Note one fault."""
        self.told[name].append((row, text))
        self.counts[name] += 1

    def add_rows(
        self,
        codes: NDArray[np.int32],
        places: NDArray[np.int64],
        tell: Callable[[int], str],
    ) -> None:
        """Note a fault of each of some rows; only the first few of a series are put in words.

        Args:
            codes: Code of the series by row of the file; rows of -1 belong to none and are passed
                over.
            places: Rows at fault, ascending.
            tell: Returns what is wrong with a row, to follow ``row 17: ``.
        """
        places = places[codes[places] >= 0]
        order = places[np.argsort(codes[places], kind="stable")]
        series, start, count = np.unique(codes[order], return_index=True, return_counts=True)
        rank = np.arange(len(order)) - np.repeat(start, count)
        few = order[rank < SHOWN]
        for place, row in zip(few.tolist(), self.file.rows(few).tolist(), strict=True):
            self.told[self.names[codes[place]]].append((row, f"row {row}: {tell(place)}"))
        for code, times in zip(series.tolist(), count.tolist(), strict=True):
            self.counts[self.names[code]] += times

    def sound(self) -> NDArray[np.bool_]:
        """Tell of each name whether nothing is wrong with it so far."""
        return np.array([name not in self.counts for name in self.names], dtype=bool)

    def reasons(self, *, most: int = SHOWN) -> dict[str, str]:
        """Return what is wrong with each series in words, in the order of names and rows.

        Args:
            most: Faults told of a series, at most ``store.errors.SHOWN``; the rest are counted.
        """
        return {name: self._reason(name, most) for name in sorted(self.counts)}

    def _reason(self, name: str, most: int) -> str:
        texts = [text for _, text in sorted(self.told[name])[:most]]
        more = self.counts[name] - len(texts)
        return "; ".join(texts) + (f"; ... ({self.counts[name]} in all)" if more else "")
