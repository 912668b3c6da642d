"""Where groups of tasks run: in this process, or on the workers of a Dask cluster.

``MAGNETCAST_DASK`` decides. Tasks of a cluster are Prefect's (prefect-dask); a worker that is lost
has its tasks done again by another. Nothing of this is loaded without a cluster.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from flows.context.console import track
from flows.panels.part_files import read_cells
from models.executor import LocalExecutor, Progress
from models.learning.quantile_heads import Heads
from models.learning.spec import EngineSpec
from models.parts import trained_here
from store.errors import DataError
from store.settings import Settings

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")

LOCAL: Final = "local"
HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ThisProcess(LocalExecutor):
    """Does the work here and shows how far it got."""

    progress: Progress = track

    def train_heads(self, files: Sequence[Path], counts: Sequence[int], spec: EngineSpec) -> Heads:
        """Return heads trained on the rows in some files."""
        some = [file for file, count in zip(files, counts, strict=True) if count]
        return trained_here([read_cells(file) for file in some], spec)


@dataclass(frozen=True, slots=True)
class DaskExecutor:
    """Does the work on the workers of a cluster."""

    address: str
    """Of Dask's scheduler."""

    def map(
        self, work: Callable[[_Item], _Found], items: Sequence[_Item], label: str
    ) -> Iterator[_Found]:
        """Yield the results of one Prefect flow with a task an item.

        Raises:
            DataError: The cluster cannot be reached.
        """
        from flows.panels.cluster_tasks import run_group  # noqa: PLC0415 - loaded for a cluster only

        try:
            yield from run_group(self.address, work, items, label)
        except OSError as err:
            raise DataError(
                f"Dask's scheduler at {self.address} cannot be reached: {err}. Expected one that "
                "runs. Start it, or unset MAGNETCAST_DASK."
            ) from err

    def train_heads(self, files: Sequence[Path], counts: Sequence[int], spec: EngineSpec) -> Heads:
        """Return heads that the workers train together on the rows in some files."""
        from flows.panels.cluster_tasks import trained_on  # noqa: PLC0415 - loaded for a cluster only

        return trained_on(self.address, files, counts, spec)


PartsExecutor = ThisProcess | DaskExecutor
"""Executors that can also train one model on the rows of several parts."""


@contextmanager
def open_executor(settings: Settings) -> Iterator[PartsExecutor]:
    """Open what ``settings.dask`` names.

    Raises:
        DataError: The cluster cannot be reached.
    """
    if settings.dask is None:
        yield ThisProcess()
        return
    from flows.panels.cluster_tasks import prefect_api  # noqa: PLC0415 - loaded for a cluster only

    with address_of(settings.dask) as address, prefect_api(address):
        yield DaskExecutor(address)


@contextmanager
def address_of(dask: str) -> Iterator[str]:
    """Return the scheduler's address; a local cluster is made and ended."""
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
