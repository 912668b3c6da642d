"""Runs a group of tasks in this process or in several."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from signal import SIGKILL
from threading import RLock
from typing import Any, Final, TypeVar

from joblib.externals.loky import ProcessPoolExecutor

from store.processes import end_with_parent
from store.progress import Progress, untracked

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Executor:
    """Works through items from the first in this process, from the last in worker processes.

    Workers are loky's, which comes with scikit-learn: unlike those of ``multiprocessing`` they do
    not run a user's script again.
    """

    progress: Progress = untracked
    processes: int = 1
    """Largest number of processes, this one included."""
    items_per_process: int = 8
    """Items that justify another process, which takes a while to load its libraries."""

    def map(
        self, work: Callable[[_Item], _Result], items: Sequence[_Item], label: str
    ) -> Iterator[_Result]:
        """Yield the results in the order of the items; a lost process only costs time.

        Args:
            work: Pure function of an item, repeated if a process is lost; it, items and results
                can be pickled.
        """
        workers = min(self.processes, len(items) // self.items_per_process) - 1
        if workers < 1:
            yield from map(work, self.progress(items, label))
            return
        pool = ProcessPoolExecutor(workers, initializer=_take, initargs=(work,))
        waiting, lock = deque(items), RLock()
        submitted = deque[tuple[_Item, Future[Any]]]()

        def submit(_: object = None) -> None:
            """Submit the last item that waits, and the next once it is done."""
            with suppress(RuntimeError), lock:  # of a pool that is shut down or lost a process
                if waiting:
                    future = pool.submit(_do, waiting[-1])
                    submitted.appendleft((waiting.pop(), future))
                    future.add_done_callback(submit)

        try:
            for _ in range(2 * workers):  # one in work, one at hand; loky hangs on a cancelled one
                submit()
            for _ in self.progress(items, label):
                with lock:
                    item, future = (waiting.popleft(), None) if waiting else submitted.popleft()
                try:
                    yield work(item) if future is None else future.result()
                except BrokenProcessPool:
                    yield work(item)
        finally:
            waiting.clear()
            pool.shutdown(kill_workers=True)


IN_TURN: Final = Executor()
"""One item after the other, in this process, without progress."""

_TAKEN: Final[list[Callable[[Any], Any]]] = []
"""The work of a worker process, sent once and not with each item."""


def _take(work: Callable[[Any], Any]) -> None:
    end_with_parent(SIGKILL)
    _TAKEN[:] = [work]


def _do(item: object) -> object:
    return _TAKEN[0](item)
