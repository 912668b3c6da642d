"""Covariates by series and month, as they were known at a cutoff."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from store.errors import SHOWN, DataError
from store.months import month_label


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

        Raises:
            DataError: A value of a needed series in a month to forecast is missing or was not known
                by the cutoff; names the cells.
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

        Args:
            table: The panel.
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
            cutoff: Month number.
            horizon: Months to forecast after it.

        Returns:
            names x series x horizon.
        """
        return np.isnan(self.view(cutoff, horizon)[:, :, -horizon:])

    def view(self, cutoff: int, horizon: int) -> NDArray[np.float64]:
        """Return the values known at the end of a month, NaN where there were none.

        Args:
            cutoff: Month number.
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
