"""Errors a caller may want to catch, each worded as what, where, expected, remedy."""

from collections.abc import Sequence

SHOWN = 5
"""How many bad rows or names a message lists before it only counts the rest."""


class DataError(ValueError):
    """Data broke its contract."""


class MissingError(DataError):
    """Asked for a row that is not there."""


class TokenError(DataError):
    """The token of a writer is not in force, or does not let it write."""


class LeakError(DataError):
    """A row was used before the world could have known it."""


class SourceError(RuntimeError):
    """A provider did not deliver what its documentation promises."""


class StoreError(RuntimeError):
    """The database could not be opened, migrated or written."""


def first_few(items: Sequence[object], *, total: int | None = None) -> str:
    """Join the first five items for a message and say how many there are in all.

    Args:
        items: all of them, or the first ones.
        total: how many there are in all, if not all are handed in.
    """
    count = len(items) if total is None else total
    shown = "; ".join(str(item) for item in items[:SHOWN])
    return shown if count <= SHOWN else f"{shown}; ... ({count} in all)"
