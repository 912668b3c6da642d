"""Where a group of tasks runs: in this process, or on workers that a flow hands in."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

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

    def map(
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


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """Does the work in this process, one item after the other."""

    progress: Progress = untracked

    def map(
        self, work: Callable[[_Item], _Found], items: Sequence[_Item], label: str
    ) -> Iterator[_Found]:
        """Yield the results, in the order of the items."""
        return map(work, self.progress(items, label))


IN_TURN: Final = LocalExecutor()
"""Shows no progress."""
