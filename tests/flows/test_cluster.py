"""A real Dask cluster of two worker processes: the same numbers, also where a worker is killed."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest
from distributed import Client

from flows.cluster import address_of, on_cluster
from flows.cluster_trees import trained_on
from flows.panel_files import PanelFiles
from flows.part_files import read_cells, write_cells
from flows.parted_panel import predict_parts
from models.engine.tuning import TunedPanel, panel_errors
from models.panel import Task, backtest_panel, said_at
from models.part_lessons import PartCells, trained_here
from models.spread import in_turn
from store.settings import Settings
from tests.data.engine_builders import BRIEF
from tests.data.part_builders import FIRST, make_parts, make_table, read_forecasts

CUTOFFS = [FIRST + month for month in (47, 49, 51, 53)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address of a cluster of two worker processes on the loopback."""
    with address_of("local:2") as found:
        yield found


def said_once_killed(task: Task, marker: Path, cutoff: int) -> pd.DataFrame:
    """Say what the panel says; the first worker that is asked dies of it."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return said_at(task, cutoff)


def make_cells(count: int, seed: int) -> PartCells:
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count, 37)).astype(np.float32)
    target = 2.0 * features[:, 3] + np.abs(features[:, 5]) + draw.normal(size=count)
    return PartCells(features, target, np.ones(count), np.ones(count, dtype=bool))


@pytest.fixture(scope="module")
def lessons(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("lessons")
    files = [folder / f"part-{place}.npz" for place in range(4)]
    for place, file in enumerate(files):
        write_cells(file, make_cells(5_000, place))
    return files


def test_a_backtest_says_the_same_on_a_cluster(address: str) -> None:
    task = Task(make_table(), 6, BRIEF)

    found = backtest_panel(task, CUTOFFS, spread=partial(on_cluster, address))

    expected = backtest_panel(task, CUTOFFS)
    pd.testing.assert_frame_equal(found.forecasts, expected.forecasts, check_exact=True)
    pd.testing.assert_frame_equal(found.scores, expected.scores, check_exact=True)


def test_a_worker_killed_amid_a_backtest_changes_nothing(address: str, tmp_path: Path) -> None:
    task = Task(make_table(), 6, BRIEF)
    work = partial(said_once_killed, task, tmp_path / "killed")

    found = list(on_cluster(address, work, CUTOFFS, "cutoffs"))

    assert (tmp_path / "killed").exists()
    expected = list(in_turn(partial(said_at, task), CUTOFFS, "cutoffs"))
    for one, other in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_trial_of_a_search_errs_the_same_on_a_cluster(address: str) -> None:
    panel = TunedPanel("one", make_table(), 6, tuple(CUTOFFS[:2]), CUTOFFS[-1])

    found = panel_errors(panel, panel.cutoffs, BRIEF, partial(on_cluster, address))

    assert found.tolist() == panel_errors(panel, panel.cutoffs, BRIEF).tolist()


def test_parts_are_forecast_the_same_on_a_cluster(address: str, tmp_path: Path) -> None:
    _, parts = make_parts(tmp_path, make_table(series=60))
    files = PanelFiles(parts)

    predict_parts(Settings(dask=address), files, horizon=6, out=tmp_path / "there")
    predict_parts(Settings(), files, horizon=6, out=tmp_path / "here")

    pd.testing.assert_frame_equal(
        read_forecasts(tmp_path / "there"), read_forecasts(tmp_path / "here"), check_exact=True
    )


def test_trees_of_a_cluster_are_near_those_of_one_process(
    address: str, lessons: list[Path]
) -> None:
    spec = replace(BRIEF, rounds=40, least_rows=100)

    there = trained_on(address, lessons, [5_000] * 4, spec=spec)

    cells = [read_cells(file) for file in lessons]
    here = trained_here(cells, spec)
    unseen = make_cells(4_000, 99)
    for name in here:
        one, other = there[name].predict(unseen.features), here[name].predict(unseen.features)
        apart = np.abs(np.asarray(one) - np.asarray(other)) / np.std(np.asarray(other))
        print(name, np.median(apart), np.quantile(apart, 0.95), apart.max())
        assert np.median(apart) < 0.10


def test_a_worker_killed_amid_training_changes_no_tree(address: str, lessons: list[Path]) -> None:
    spec = replace(BRIEF, rounds=150, leaves=31, least_rows=100)
    expected = trained_on(address, lessons, [5_000] * 4, spec=spec)
    killer = Thread(target=kill_when_training, args=(address,))

    killer.start()
    found = trained_on(address, lessons, [5_000] * 4, spec=spec)

    killer.join()
    for name, head in expected.items():
        assert found[name].model_to_string() == head.model_to_string()


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
