"""Where groups of tasks run: in this process, or on the workers of a Dask cluster.

``MAGNETCAST_DASK`` decides. Tasks of a cluster are Prefect's (prefect-dask); a worker that is lost
has its tasks done again by another. Nothing of this is loaded without a cluster.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from flows.context.console import track
from flows.panels.part_files import read_cells
from models.engine.spec import EngineSpec
from models.executor.executor import Executor
from models.executor.part_training import trained_here
from models.learning.quantile_heads import Heads
from store.errors import DataError
from store.settings import Settings

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")

LOCAL: Final = "local"
HOST: Final = "127.0.0.1"


def here(work: Callable[[_Item], _Found], items: Sequence[_Item], label: str) -> Iterator[_Found]:
    """Do the work in this process and show how far it got."""
    for item in track(items, label):
        yield work(item)


@dataclass(frozen=True, slots=True)
class DaskExecutor:
    """Who does the work."""

    spread: Executor
    heads: Callable[[Sequence[Path], Sequence[int], EngineSpec], Heads]
    """Train heads on the lessons in some files, given the cells of each."""


@contextmanager
def workers(settings: Settings) -> Iterator[DaskExecutor]:
    """Open what ``settings.dask`` names and hand out who does the work.

    Raises:
        DataError: The cluster cannot be reached.
    """
    if settings.dask is None:
        yield DaskExecutor(here, _heads_here)
        return
    from flows.panels.cluster_flow import prefect_api  # noqa: PLC0415 - loaded for a cluster only
    from flows.panels.cluster_trees import trained_on  # noqa: PLC0415 - loaded for a cluster only

    with address_of(settings.dask) as address, prefect_api(address):
        yield DaskExecutor(partial(on_cluster, address), partial(trained_on, address))


def _heads_here(files: Sequence[Path], counts: Sequence[int], spec: EngineSpec) -> Heads:
    some = [file for file, count in zip(files, counts, strict=True) if count]
    return trained_here([read_cells(file) for file in some], spec)


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

    logging.getLogger("distributed").setLevel(logging.ERROR)
    _, _, count = dask.partition(":")
    with LocalCluster(
        n_workers=int(count) if count else os.cpu_count(),
        threads_per_worker=1,
        host=HOST,
        dashboard_address=f"{HOST}:0",
    ) as cluster:
        yield cluster.scheduler_address


def on_cluster(
    address: str, work: Callable[[_Item], _Found], items: Sequence[_Item], label: str
) -> Iterator[_Found]:
    """Do the work as one Prefect flow with a task an item on a Dask cluster.

    Raises:
        DataError: The cluster cannot be reached.
    """
    from flows.panels.cluster_flow import run_group  # noqa: PLC0415 - loaded for a cluster only

    try:
        yield from run_group(address, work, items, label)
    except OSError as err:
        raise DataError(
            f"Dask's scheduler at {address} cannot be reached: {err}. Expected one that runs. "
            "Start it, or unset MAGNETCAST_DASK."
        ) from err
