"""The contract of a source."""

from dataclasses import dataclass
from typing import Protocol

from store.batch import FileRows


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What one should know about a source before using it."""

    id: str
    publication_lag: str
    """How long after the fact a row can be known."""
    licence: str
    cadence: str
    completeness: float | None = None
    """Least share of the last vintage's cells a new one must hold; None where it does not apply."""


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
