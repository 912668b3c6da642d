"""Errors callers may catch; each message has what, where, what was expected and what to do."""

from collections.abc import Sequence
from typing import Final

SHOWN: Final = 5
"""How many bad rows or names a message lists before it only counts the rest."""

LONGEST_CELL: Final = 40
"""Characters of a cell that a message repeats."""


class DataError(ValueError):
    """Data broke its contract."""


class LeakError(DataError):
    """A row was used before the world could have known it."""


class SourceError(RuntimeError):
    """A provider did not deliver what its documentation promises."""


class StoreError(RuntimeError):
    """The database could not be opened, migrated or written."""


class OldSchemaError(StoreError):
    """The database waits for a migration."""


class OldModelError(StoreError):
    """A model was trained by another version of magnetcast, and this one cannot run it."""


def first_few(items: Sequence[object], *, total: int | None = None) -> str:
    """Join the first five items for a message and say how many there are, or ``total``, in all."""
    count = len(items) if total is None else total
    shown = "; ".join(str(item) for item in items[:SHOWN])
    return shown if count <= SHOWN else f"{shown}; ... ({count} in all)"


def shown(text: str) -> str:
    """A cell for a message: on one line and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_CELL else f"{line[:LONGEST_CELL]}..."


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 row``, ``2 rows``."""
    return f"{number:,} {noun if number == 1 or noun == 'series' else noun + 's'}"
