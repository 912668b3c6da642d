"""Work on a Dask cluster: a group of like tasks as a Prefect flow, and one LightGBM model.

The model is trained by the workers on the parts that lie with them. LightGBM's workers talk to each
other directly and none can be replaced in their midst: where one is lost the training begins anew
on the same parts.
"""

import pickle
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import dask.array as da
import lightgbm as lgb
import numpy as np
from dask.delayed import delayed
from distributed import Client
from lightgbm.basic import LightGBMError
from numpy.typing import NDArray
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from flows.context.console import echo, track
from flows.panels.part_files import read_cells
from models.engine.quantile_model import head_parameters
from models.engine.series_stats import NAMES
from models.learning.quantile_heads import HEAD_LEVELS, Heads
from models.learning.spec import EngineSpec
from store.arrays import join
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
    with SubprocessASGIServer() as own, temporary_settings({PREFECT_API_URL: own.api_url}):
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


POLL_S: Final = 0.5
NOTICE_S: Final = 30.0
"""How long the scheduler may take to notice a loss that LightGBM's other workers felt at once."""

RETURN_S: Final = 300.0
"""How long a lost worker may take to come back."""

SKLEARN: Final = {
    "lambda_l2": "reg_lambda",
    "feature_fraction": "colsample_bytree",
    "bagging_fraction": "subsample",
    "bagging_freq": "subsample_freq",
    "min_data_in_leaf": "min_child_samples",
    "seed": "random_state",
}
"""LightGBM's own names and those of its Dask estimator, whose defaults would be set too."""


class LostWorkerError(Exception):
    """A worker was lost while LightGBM trained."""


def trained_on(
    address: str, files: Sequence[Path], counts: Sequence[int], spec: EngineSpec
) -> Heads:
    """Return heads trained on the cells in some files, that all workers can read.

    Args:
        address: Of Dask's scheduler.
        files: As ``flows.panels.part_files.write_cells``.
        counts: Cells of each file.
        spec: Choices of the engine.
    """
    with Client(address, set_as_default=False) as client:
        machines = len(_workers(client))
        echo(f"trees     {sum(counts):,} cells on {machines} workers")

        def attempt() -> Heads:
            return _heads(client, files, counts, spec=spec)

        for _ in range(2):
            try:
                return _watched(client, attempt)
            except LostWorkerError:
                echo("trees     a worker was lost: training anew")
                client.wait_for_workers(machines, timeout=RETURN_S)
        return _watched(client, attempt)


def _watched(client: Client, attempt: Callable[[], Heads]) -> Heads:
    """Return what an attempt finds, unless a worker is lost on the way."""
    before = _workers(client)
    pool = ThreadPoolExecutor(1)
    running: Future[Heads] = pool.submit(attempt)
    try:
        while not wait([running], POLL_S).done:
            if before - _workers(client):
                raise LostWorkerError
        return running.result()
    except LightGBMError as err:
        if _is_missed(client, before):
            raise LostWorkerError from err
        raise
    finally:
        if not running.done():
            _released(client, before)
        pool.shutdown(wait=False)


def _is_missed(client: Client, workers: set[str]) -> bool:
    """Tell whether one of some workers is gone, as the scheduler notices sooner or later."""
    for _ in range(int(NOTICE_S / POLL_S)):
        if workers - _workers(client):
            return True
        time.sleep(POLL_S)
    return False


def _released(client: Client, workers: set[str]) -> None:
    """Restart those who still wait for an answer of the one that was lost."""
    left = workers & _workers(client)
    if left:
        client.restart_workers(sorted(left), timeout=RETURN_S, raise_for_error=False)


def _heads(client: Client, files: Sequence[Path], counts: Sequence[int], spec: EngineSpec) -> Heads:
    features, target, weight = _columns(client, files, counts)
    heads = {}
    for name, level in HEAD_LEVELS.items():
        named = head_parameters(spec, level, sum(counts))
        named.pop("num_threads")
        parameters: dict[str, Any] = {SKLEARN.get(key, key): named[key] for key in named}
        model = lgb.DaskLGBMRegressor(
            client=client, n_estimators=spec.rounds, tree_learner="data", **parameters
        )
        with client.as_current(), warnings.catch_warnings():
            # Threads are those of the workers, and LightGBM warns of it each time.
            warnings.filterwarnings("ignore", "Parameter n_jobs will be ignored", UserWarning)
            heads[name] = model.fit(features, target, sample_weight=weight).booster_
    return heads


def _columns(
    client: Client, files: Sequence[Path], counts: Sequence[int]
) -> tuple[da.Array, da.Array, da.Array]:
    """Return features, targets and weights as arrays of one chunk a worker, which stays there.

    LightGBM finds the edges of its bins by worker, so who holds what decides the last digits.
    """
    workers = sorted(_workers(client))
    shares = np.array_split(np.arange(len(files)), len(workers))
    chunks: list[list[da.Array]] = [[], [], []]
    for worker, share in zip(workers, (one.tolist() for one in shares), strict=True):
        own = [files[place] for place in share]
        count = sum(counts[place] for place in share)
        shapes = ((count, len(NAMES)), (count,), (count,))
        for place, shape in enumerate(shapes):
            held = client.submit(_column, own, place, workers=[worker], pure=False)
            chunks[place].append(da.from_delayed(delayed(held), shape, dtype=np.float64))
    features, target, weight = (da.concatenate(some) for some in chunks)
    return features, target, weight


def _column(files: Sequence[Path], place: int) -> NDArray[np.float64]:
    """Return features, targets or weights of all cells in some files."""
    cells = join([read_cells(file) for file in files])
    columns = (cells.features.astype(np.float64), cells.target, cells.weight)
    return columns[place]


def _workers(client: Client) -> set[str]:
    return set(client.nthreads())
