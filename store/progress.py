"""Showing how far a loop over items got."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")


class Progress(Protocol):
    """Shows progress over items."""

    def __call__(self, items: Sequence[_Item], label: str) -> Iterable[_Item]:
        """Yield the items, showing how far it got."""


def untracked(items: Sequence[_Item], label: str) -> Iterable[_Item]:  # noqa: ARG001 - the Progress protocol
    """Show nothing."""
    return items
