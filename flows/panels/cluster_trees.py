"""One LightGBM model over the parts of a panel, trained by the workers of a Dask cluster.

LightGBM's workers talk to each other directly and none can be replaced in their midst: where one is
lost the training begins anew on the same parts.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Final

import dask.array as da
import lightgbm as lgb
import numpy as np
from dask.delayed import delayed
from distributed import Client
from lightgbm.basic import LightGBMError
from numpy.typing import NDArray

from flows.context.console import echo
from flows.panels.part_files import read_cells
from models.engine.quantile_model import head_parameters
from models.engine.series_stats import NAMES
from models.engine.spec import EngineSpec
from models.learning.arrays import join
from models.learning.quantile_heads import HEAD_LEVELS, Heads

ATTEMPTS: Final = 3
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
"""LightGBM's own names and those of its Dask estimator, whose defaults would else stand beside."""

Columns = tuple[da.Array, da.Array, da.Array]
"""Features, targets and weights."""


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

        for _ in range(ATTEMPTS - 1):
            try:
                return _watched(client, attempt)
            except LostWorkerError:
                echo("trees     a worker was lost: training anew")
                client.wait_for_workers(machines, timeout=RETURN_S)
        return _watched(client, attempt)


def _watched(client: Client, attempt: Callable[[], Heads]) -> Heads:
    """Return what an attempt finds.

    Raises:
        LostWorkerError: A worker was lost on the way.
    """
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
            # Threads are those of the workers, and LightGBM says so each time.
            warnings.filterwarnings("ignore", "Parameter n_jobs will be ignored", UserWarning)
            heads[name] = model.fit(features, target, sample_weight=weight).booster_
    return heads


def _columns(client: Client, files: Sequence[Path], counts: Sequence[int]) -> Columns:
    """Return the cells as arrays of one chunk a worker, which stays there.

    LightGBM finds the edges of its bins by worker, so who holds what decides the last digits.
    """
    workers = sorted(_workers(client))
    shares = np.array_split(np.arange(len(files)), len(workers))
    chunks: list[list[da.Array]] = [[], [], []]
    for worker, share in zip(workers, shares, strict=True):
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
