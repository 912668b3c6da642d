"""Errors a caller may want to catch, each worded as what, where, expected, remedy."""

from collections.abc import Sequence

SHOWN = 5
"""How many bad rows or names a message lists before it only counts the rest."""


class DataError(ValueError):
    """Data broke its contract."""


class LeakError(DataError):
    """A row was used before the world could have known it."""


class SourceError(RuntimeError):
    """A provider did not deliver what its documentation promises."""


class StoreError(RuntimeError):
    """The database could not be opened, migrated or written."""


def first_few(items: Sequence[object]) -> str:
    """Join the first five items for a message and say how many there are in all."""
    shown = "; ".join(str(item) for item in items[:SHOWN])
    return shown if len(items) <= SHOWN else f"{shown}; ... ({len(items)} in all)"
