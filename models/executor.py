"""Where a group of tasks runs: in this process, in several, or on workers that a flow hands in."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from joblib.externals.loky import ProcessPoolExecutor

from store.progress import Progress, untracked

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Executor:
    """Does the work in this process, from the first item on, and in others, from the last.

    The others are loky's, which scikit-learn brings: unlike those of ``multiprocessing`` they do
    not run a user's script again.
    """

    progress: Progress = untracked
    processes: int = 1
    """Most of this machine that work at once, this one among them."""
    items_per_process: int = 8
    """Items a process; fewer are done sooner than another process loads its libraries."""

    def map(
        self, work: Callable[[_Item], _Found], items: Sequence[_Item], label: str
    ) -> Iterator[_Found]:
        """Yield the results, in the order of the items; a process that is lost costs time alone.

        Args:
            work: Depends on its item alone and changes nothing that is not its own, so that it may
                be done again after a process is lost. It, items and results can be pickled.
        """
        others = min(self.processes, len(items) // self.items_per_process) - 1
        if others < 1:
            yield from map(work, self.progress(items, label))
            return
        pool = ProcessPoolExecutor(others, initializer=_take, initargs=(work,))
        try:
            waiting: list[Future[Any]] = [pool.submit(_do, item) for item in reversed(items)]
            for item in self.progress(items, label):
                found = waiting.pop()
                try:
                    yield work(item) if found.cancel() else found.result()
                except BrokenProcessPool:
                    yield work(item)
        finally:
            pool.shutdown(kill_workers=True)


IN_TURN: Final = Executor()
"""One item after the other, in this process; shows no progress."""

_TAKEN: Final[list[Callable[[Any], Any]]] = []
"""The work of this process, where it is one of the others: sent once, not with each item."""


def _take(work: Callable[[Any], Any]) -> None:
    _TAKEN[:] = [work]


def _do(item: object) -> object:
    return _TAKEN[0](item)
