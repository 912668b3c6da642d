"""A real Dask cluster of two worker processes: the same numbers, also where a worker is killed."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from flows.panels.cluster import DaskExecutor, address_of
from flows.panels.cluster_tasks import TASKS, batches
from flows.panels.panel_files import PanelFiles
from flows.panels.parted_panel import predict_parts
from models.engine.tuning import TunedPanel, panel_errors
from models.evaluation.backtest import backtest_panel
from models.executor import IN_TURN
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.panel_snapshot import PanelSnapshot
from store.settings import Settings
from tests.data.engine_builders import BRIEF
from tests.data.part_builders import FIRST, make_parts, make_table, read_forecasts

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("real_flows")]

CUTOFFS = [FIRST + month for month in (47, 49, 51, 53)]

FORECASTER = PanelForecaster(BRIEF)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address of a cluster of two worker processes on the loopback."""
    with address_of("local:2") as found:
        yield found


def said_once_killed(task: PanelSnapshot, marker: Path, cutoff: int) -> pd.DataFrame:
    """Forecast as the panel does; the first worker that is asked dies of it."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return forecasts_at(task, cutoff)


def forecasts_at(task: PanelSnapshot, cutoff: int) -> pd.DataFrame:
    [fitted] = FORECASTER.fit(task.at(cutoff))
    return fitted.compare()


def test_a_backtest_states_the_same_on_a_cluster(address: str) -> None:
    task = PanelSnapshot(make_table(), 6)

    found = backtest_panel(FORECASTER, task, CUTOFFS, executor=DaskExecutor(address))

    expected = backtest_panel(FORECASTER, task, CUTOFFS)
    pd.testing.assert_frame_equal(found.forecasts, expected.forecasts, check_exact=True)
    pd.testing.assert_frame_equal(found.scores, expected.scores, check_exact=True)


def test_a_worker_killed_amid_a_backtest_changes_nothing(address: str, tmp_path: Path) -> None:
    task = PanelSnapshot(make_table(), 6)
    work = partial(said_once_killed, task, tmp_path / "killed")

    found = list(DaskExecutor(address).map(work, CUTOFFS, "cutoffs"))

    assert (tmp_path / "killed").exists()
    expected = list(IN_TURN.map(partial(forecasts_at, task), CUTOFFS, "cutoffs"))
    for one, other in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_trial_of_a_search_errs_the_same_on_a_cluster(address: str) -> None:
    panel = TunedPanel("one", make_table(), 6, tuple(CUTOFFS[:2]), CUTOFFS[-1])

    found = panel_errors(panel, panel.cutoffs, BRIEF, DaskExecutor(address))

    assert found.tolist() == panel_errors(panel, panel.cutoffs, BRIEF).tolist()


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 33, 240])
def test_many_items_share_tasks_in_order(count: int) -> None:
    found = batches(range(count), TASKS)

    assert [item for batch in found for item in batch] == list(range(count))
    assert len(found) <= TASKS
    assert len({len(batch) for batch in found[:-1]}) <= 1


def test_parts_are_forecast_the_same_on_a_cluster(address: str, tmp_path: Path) -> None:
    _, parts = make_parts(tmp_path, make_table(series=60), count=TASKS + 1)
    files = PanelFiles(parts)

    predict_parts(Settings(dask=address), files, horizon=6, out=tmp_path / "there")
    predict_parts(Settings(), files, horizon=6, out=tmp_path / "here")

    pd.testing.assert_frame_equal(
        read_forecasts(tmp_path / "there"), read_forecasts(tmp_path / "here"), check_exact=True
    )
