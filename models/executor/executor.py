"""Who does a group of tasks: this process, or workers that a flow hands in."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


class Progress(Protocol):
    """Shows progress over items."""

    def __call__(self, items: Sequence[_Item], label: str) -> Iterable[_Item]:
        """Yield the items, showing how far it got."""
        ...


def untracked(items: Sequence[_Item], label: str) -> Iterable[_Item]:  # noqa: ARG001 - the Progress protocol
    """Show nothing."""
    return items


class Executor(Protocol):
    """Does the same work on several items, wherever that may be."""

    def __call__(
        self, work: Callable[[_Item], _Found], items: Sequence[_Item], label: str
    ) -> Iterator[_Found]:
        """Yield the results, in the order of the items.

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
    label: str,  # noqa: ARG001 - the Executor protocol
) -> Iterator[_Found]:
    """Do the work here, one item after the other."""
    return map(work, items)


def showing(progress: Progress) -> Executor:
    """Return an executor that does the work here and shows how far it got."""

    def execute(
        work: Callable[[_Item], _Found], items: Sequence[_Item], label: str
    ) -> Iterator[_Found]:
        return map(work, progress(items, label))

    return execute
