"""One LightGBM model trained by two worker processes, also where one of them is killed."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import lightgbm as lgb
import numpy as np
import pytest
from distributed import Client

from flows.panels.cluster import address_of
from flows.panels.cluster_tasks import trained_on
from flows.panels.part_files import read_cells, write_cells
from models.parts import PartCells, trained_here
from tests.data.engine_builders import BRIEF

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("real_flows")]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address of a cluster of two worker processes on the loopback."""
    with address_of("local:2") as found:
        yield found


def make_cells(count: int, seed: int) -> PartCells:
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count, 37)).astype(np.float32)
    target = 2.0 * features[:, 3] + np.abs(features[:, 5]) + draw.normal(size=count)
    return PartCells(features, target, np.ones(count), np.ones(count, dtype=bool))


@pytest.fixture(scope="module")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("training_set")
    files = [folder / f"part-{place}.npz" for place in range(4)]
    for place, file in enumerate(files):
        write_cells(file, make_cells(5_000, place))
    return files


def test_trees_of_a_cluster_are_near_those_of_one_process(
    address: str, training_set: list[Path]
) -> None:
    spec = replace(BRIEF, rounds=40, least_rows=100)

    there = trained_on(address, training_set, [5_000] * 4, spec=spec)

    cells = [read_cells(file) for file in training_set]
    here = trained_here(cells, spec)
    unseen = make_cells(4_000, 99)
    for name, head in here.items():
        assert apart(there[name], head, unseen) < 0.10


def test_a_worker_killed_amid_training_is_survived(address: str, training_set: list[Path]) -> None:
    spec = replace(BRIEF, rounds=150, leaves=31, least_rows=100)
    expected = trained_on(address, training_set, [5_000] * 4, spec=spec)
    killer = Thread(target=kill_when_training, args=(address,))

    killer.start()
    found = trained_on(address, training_set, [5_000] * 4, spec=spec)

    killer.join()
    unseen = make_cells(4_000, 99)
    for name, head in expected.items():
        assert apart(found[name], head, unseen) < 0.10


def apart(one: lgb.Booster, other: lgb.Booster, cells: PartCells) -> float:
    """Return the median difference of what two heads say, in spreads of what they say."""
    first, second = (np.asarray(head.predict(cells.features)) for head in (one, other))
    return float(np.median(np.abs(first - second)) / np.std(second))


def kill_when_training(address: str) -> None:
    """Kill one worker, without a chance to clean up, as soon as LightGBM trains on both."""
    with Client(address, set_as_default=False) as client:
        pids = client.run(os.getpid)
        while True:
            busy = [one for one, keys in client.processing().items() if "train_part" in str(keys)]
            if len(busy) == len(pids):
                break
            time.sleep(0.05)
        time.sleep(0.2)
        os.kill(pids[busy[0]], signal.SIGKILL)
