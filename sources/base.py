"""The contract of a source."""

from dataclasses import dataclass
from typing import Protocol

import pandas as pd

from sources.month_range import MonthRange
from store.facts.batch import FileRows


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """The properties of a source."""

    id: str
    publication_lag: str
    """How long after the month a row is published."""
    licence: str
    cadence: str
    completeness: float | None = None
    """Least share of the last vintage's cells that a new one must hold; None for no minimum."""


class Source(Protocol):
    """Something rows come from. Loading reads no clock and writes nothing."""

    @property
    def info(self) -> SourceInfo:
        """Describe the source."""
        ...

    def load(self) -> FileRows:
        """Read all rows, each with the moment it could first be known.

        Raises:
            DataError: rows are bad; all of them are named at once.
        """
        ...


class LiveSource(Protocol):
    """A provider queried over HTTP. Fetching reads no clock and writes to the HTTP cache only."""

    @property
    def info(self) -> SourceInfo:
        """Describe the source."""
        ...

    def fetch(self, span: MonthRange, *, now: pd.Timestamp) -> FileRows:
        """Fetch the months of ``span``.

        Args:
            span: months wanted; what is not published yet is simply absent.
            now: the moment of the fetch, aware; no row is dated later.

        Returns: tables ``observations``, ``covariates``, ``tariff_steps`` or ``proposals``; the
            hash is over the raw answers in the order of the requests.

        Raises:
            SourceError: the provider did not deliver what it documents; nothing is returned.
        """
        ...
