"""A closed range of months, as requested from a provider."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import pandas as pd

from store.errors import DataError


@dataclass(frozen=True, slots=True)
class MonthRange:
    """A closed range of months, at least one."""

    first: pd.Period
    last: pd.Period

    def __post_init__(self) -> None:
        if self.first.freqstr != "M" or self.last.freqstr != "M" or self.last < self.first:
            raise DataError(
                f"Span {self.first}..{self.last} is not a range of months. Expected two monthly "
                "periods, the last not before the first. Check --since and --until."
            )

    @classmethod
    def of(cls, first: str, last: str | None = None) -> Self:
        """Months from ``YYYY-MM`` to ``YYYY-MM``; one month without ``last``."""
        return cls(pd.Period(first, "M"), pd.Period(last or first, "M"))

    @property
    def begin(self) -> pd.Timestamp:
        return self.first.start_time.as_unit("us")

    @property
    def end(self) -> pd.Timestamp:
        return self.last.end_time.normalize().as_unit("us")

    @property
    def months(self) -> pd.PeriodIndex:
        return pd.period_range(self.first, self.last, freq="M")

    def pieces(self, months: int) -> Iterator["MonthRange"]:
        """Split into ranges of so many months; the last may be shorter."""
        every = self.months
        for start in range(0, len(every), months):
            part = every[start : start + months]
            yield MonthRange(part[0], part[-1])

    def years(self) -> Iterator["MonthRange"]:
        """Split by calendar year."""
        for year in range(self.first.year, self.last.year + 1):
            yield MonthRange(
                max(self.first, pd.Period(f"{year}-01", "M")),
                min(self.last, pd.Period(f"{year}-12", "M")),
            )

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}..{self.last}"
