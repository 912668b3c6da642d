"""Wording shared by messages about users' files."""

from typing import Final

_LONGEST: Final = 40
"""Characters of a cell that a message repeats."""


def shown(text: str) -> str:
    """Return a cell for a message: on one line and not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``2 rows``."""
    return f"{number:,} {noun if number == 1 or noun == 'series' else noun + 's'}"
