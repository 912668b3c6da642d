"""Where groups of tasks run: in this process, or on the workers of a Dask cluster.

``MAGNETCAST_DASK`` decides. Tasks of a cluster are Prefect's (prefect-dask); a worker that is lost
has its tasks done again by another. Nothing of this is loaded without a cluster.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from flows.console import track
from models.spread import Spread
from store.errors import DataError
from store.settings import Settings

if TYPE_CHECKING:
    from distributed import Client

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")

LOCAL: Final = "local"
HOST: Final = "127.0.0.1"


def here(work: Callable[[_Item], _Found], items: Sequence[_Item], label: str) -> Iterator[_Found]:
    """Do the work in this process and show how far it got."""
    for item in track(items, label):
        yield work(item)


@contextmanager
def workers(settings: Settings) -> Iterator[Spread]:
    """Open what ``settings.dask`` names and hand out who does the work.

    Raises:
        DataError: The cluster cannot be reached.
    """
    if settings.dask is None:
        yield here
        return
    with address_of(settings.dask) as address:
        yield partial(on_cluster, address)


@contextmanager
def address_of(dask: str) -> Iterator[str]:
    """Return the scheduler's address; a local cluster is made and ended.

    Args:
        dask: As ``Settings.dask``.
    """
    if not dask.startswith(LOCAL):
        yield dask
        return
    from distributed import LocalCluster  # noqa: PLC0415 - loaded for a cluster only

    _, _, count = dask.partition(":")
    with LocalCluster(
        n_workers=int(count) if count else os.cpu_count(),
        threads_per_worker=1,
        host=HOST,
        dashboard_address=None,
    ) as cluster:
        yield cluster.scheduler_address


def on_cluster(
    address: str, work: Callable[[_Item], _Found], items: Sequence[_Item], label: str
) -> Iterator[_Found]:
    """Do the work as one Prefect flow with a task an item on a Dask cluster.

    Raises:
        DataError: The cluster cannot be reached.
    """
    from flows.cluster_flow import run_group  # noqa: PLC0415 - loaded for a cluster only

    try:
        yield from run_group(address, work, items, label)
    except OSError as err:
        raise DataError(
            f"Dask's scheduler at {address} cannot be reached: {err}. Expected one that runs. "
            "Start it, or unset MAGNETCAST_DASK."
        ) from err
