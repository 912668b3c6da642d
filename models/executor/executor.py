"""Who does a group of tasks: this process, or workers that a flow hands in."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


class Spread(Protocol):
    """Does the same work on several items, wherever that may be."""

    def __call__(
        self, work: Callable[[_Item], _Found], items: Sequence[_Item], label: str
    ) -> Iterator[_Found]:
        """Yield what the work found, in the order of the items.

        Args:
            work: Depends on its item alone and changes nothing that is not its own, so that it may
                be done again after a worker is lost. It, items and results can be pickled.
            items: One a task.
            label: What the items are, to show progress by.
        """
        ...


def in_turn(
    work: Callable[[_Item], _Found],
    items: Sequence[_Item],
    label: str,  # noqa: ARG001 - the Spread protocol
) -> Iterator[_Found]:
    """Do the work here, one item after the other."""
    return map(work, items)
