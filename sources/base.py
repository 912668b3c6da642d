"""The contract of a source, and the range of months that a provider is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

import pandas as pd

from store.facts.batch import FileRows


@dataclass(frozen=True, slots=True)
class MonthRange:
    """A closed range of months, at least one."""

    first: pd.Period
    last: pd.Period

    def __post_init__(self) -> None:
        if self.first.freqstr != "M" or self.last.freqstr != "M" or self.last < self.first:
            raise ValueError(
                f"Span {self.first}..{self.last} is no range of months. Expected two monthly "
                "periods, the last not before the first. Check --since and --until."
            )

    @classmethod
    def of(cls, first: str, last: str | None = None) -> Self:
        """Return the months from ``YYYY-MM`` to ``YYYY-MM``; one month without ``last``."""
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


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """The properties of a source."""

    id: str
    """Names its data card, which states provenance, licence and publication lag."""
    completeness: float | None = None
    """Least share of the last vintage's cells that a new one must hold; None for no minimum."""


class Source(Protocol):
    """Something rows come from. Loading reads no clock and writes nothing."""

    @property
    def info(self) -> SourceInfo: ...

    def load(self) -> FileRows:
        """Read all rows, each with the moment it could first be known."""
        ...


class LiveSource(Protocol):
    """A provider queried over HTTP. Fetching reads no clock and writes to the HTTP cache only."""

    @property
    def info(self) -> SourceInfo: ...

    def notice(self, span: MonthRange) -> str:
        """Return what to say before months are fetched; empty if nothing."""
        ...

    def fetch(self, span: MonthRange, *, now: pd.Timestamp) -> FileRows:
        """Fetch the months of ``span``.

        Args:
            span: months wanted; what is not published yet is simply absent.
            now: the moment of the fetch, aware; no row is dated later.

        Returns: tables ``observations``, ``tariff_steps`` or ``proposals``; the hash is
            over the raw answers in the order of the requests.
        """
        ...
