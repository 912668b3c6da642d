"""A group of like tasks as a Prefect flow on a Dask cluster."""

import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)
from prefect.task_runners import TaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from flows.context.console import track
from store.errors import DataError

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

TASKS: Final = 16
"""Tasks of a group, or four a worker if that is more; more items than that share tasks, because
Prefect spends a second of processor time on each."""

TASKS_A_WORKER: Final = 4


@contextmanager
def prefect_api(address: str) -> Iterator[None]:
    """Have one Prefect server for this process and all workers; else each would start its own.

    Raises:
        DataError: None is named and the workers may be on other machines.
    """
    if PREFECT_API_URL.value():
        yield
        return
    if urlsplit(address).hostname not in LOOPBACK:
        raise DataError(
            f"PREFECT_API_URL is not set and Dask's scheduler at {address} is on another machine. "
            "Expected the address of a Prefect server that its workers reach. Set it."
        )
    server = SubprocessASGIServer()
    server.start(PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value())
    with temporary_settings({PREFECT_API_URL: server.api_url}):
        yield


def _done(work: Callable[[_Item], _Found], items: bytes) -> list[_Found]:
    return [work(item) for item in pickle.loads(items)]  # noqa: S301 - our own, from who asks


some_items: Final = task(name="items", cache_policy=NO_CACHE, persist_result=False)(_done)


def batches(items: Sequence[_Item], most: int) -> list[list[_Item]]:
    """Return items in turn in at most so many batches, all but the last of the same size."""
    size = max(1, -(-len(items) // most))
    return [list(items[at : at + size]) for at in range(0, len(items), size)]


def run_group(
    address: str, work: Callable[[_Item], _Found], items: Sequence[_Item], label: str
) -> Iterator[_Found]:
    """Yield what the work found, in the order of the items, once all are done.

    The work itself is sent once: the scheduler keeps it and has it unpacked again where the worker
    that held it is lost.
    """
    # prefect-dask types its futures more narrowly than the runner it derives from.
    runner = cast("TaskRunner[PrefectFuture[Any]]", DaskTaskRunner(address=address))

    @flow(name=label, task_runner=runner, persist_result=False)
    def group() -> list[_Found]:
        context = FlowRunContext.get()
        assert context is not None  # noqa: S101 - within a flow
        client = cast("DaskTaskRunner", context.task_runner).client
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            shared = client.submit(pickle.loads, pickle.dumps(work), pure=False)
            most = max(TASKS, TASKS_A_WORKER * len(client.nthreads()))
            some = [pickle.dumps(batch) for batch in batches(items, most)]
            futures = [some_items.submit(shared, batch) for batch in some]
        return [found for future in track(futures, label) for found in future.result()]

    yield from group()
