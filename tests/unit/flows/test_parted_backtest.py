"""The past of a panel in parts: the same forecasts and scores as of the panel in one file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from flows.cli.forecast_commands import backtest
from models.evaluation.backtest import backtest_panel
from models.evaluation.scores import scoreboard
from models.forecasting.forecaster import MODEL
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.panel_snapshot import PanelSnapshot
from models.parts import BASELINES
from sources.files.panel import read_panel
from store.errors import DataError
from store.settings import Settings
from tests.data.part_builders import FIRST, make_parts, make_table, read_forecasts

CUTOFFS = ["2018-11", "2019-10"]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Give a home of this test's own."""
    monkeypatch.setenv("MAGNETCAST_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("MAGNETCAST_ARTIFACT_DIR", str(tmp_path / "artifacts"))
    monkeypatch.setenv("MAGNETCAST_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return Settings()


def replay(parts: Path, out: Path, cutoffs: list[str]) -> pd.DataFrame:
    backtest(panel=parts, horizon=6, cutoffs=",".join(cutoffs), out=out)
    return pd.read_csv(out / "scoreboard.csv")


@pytest.mark.slow
def test_parts_are_scored_as_the_file_is(settings: Settings, tmp_path: Path) -> None:
    table = make_table()
    table.iloc[3, :50] = np.nan  # unknown at the first cutoff
    file, parts = make_parts(tmp_path, table, count=5)

    board = replay(parts, tmp_path / "out", CUTOFFS)

    months = [FIRST + 46, FIRST + 57]
    expected = backtest_panel(PanelForecaster(), PanelSnapshot(read_panel(file).table, 6), months)
    own = expected.forecasts.loc[expected.forecasts["model"] == MODEL]
    for label in CUTOFFS:
        predicted = read_forecasts(tmp_path / "out" / "forecasts" / label)
        asked = own.loc[own["cutoff"] == label].sort_values(["destination", "horizon"])
        for name in ("p05", "p10", "p50", "p90", "p95", "mean"):
            assert predicted[name].tolist() == asked[name].tolist()
    cells = expected.cells.loc[expected.cells["model"].isin([MODEL, *BASELINES])]
    asked = scoreboard(cells)
    asked = asked.loc[asked["kind"] != "destination"]
    keys = ["kind", "value", "model"]
    pd.testing.assert_frame_equal(
        board.sort_values(keys, ignore_index=True),
        asked.sort_values(keys, ignore_index=True),
        check_dtype=False,
        rtol=1e-5,  # of what the file is rounded to
    )
    client = MlflowClient(settings.tracking_uri)
    (experiment,) = client.search_experiments(filter_string="name != 'Default'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.tags["panel"] == parts.name
    wape = board.loc[(board["kind"] == "all") & (board["model"] == MODEL), "wape"].iloc[0]
    assert run.data.metrics["wape_ALL"] == pytest.approx(wape, rel=1e-4)


@pytest.mark.slow
def test_at_the_end_of_a_panel_there_is_nothing_to_score(tmp_path: Path) -> None:
    _, parts = make_parts(tmp_path, make_table())

    backtest(panel=parts, horizon=6, cutoffs="2019-12", out=tmp_path / "out")

    assert len(read_forecasts(tmp_path / "out" / "forecasts" / "2019-12"))
    assert not (tmp_path / "out" / "scoreboard.csv").exists()


def test_a_cutoff_outside_the_panel_leaves_nothing_behind(tmp_path: Path) -> None:
    _, parts = make_parts(tmp_path, make_table())

    with pytest.raises(DataError, match="2025-01 lies outside the panel, which runs from 2015-01"):
        backtest(panel=parts, horizon=6, cutoffs="2025-01", out=tmp_path / "out")

    assert not list(tmp_path.glob("*out*"))
