"""Files of quarters and weeks by the commands: forecast whole and in parts, scored, tuned on."""

import json
from pathlib import Path

import pandas as pd
import pytest

from flows.cli.data_commands import partition
from flows.cli.forecast_commands import backtest, predict
from flows.panels.tune import TuningRequest, read_panels, report_of
from models.engine.tuning import tune
from models.learning.spec import EngineSpec
from sources.files.panel_parts import parts_of
from store.errors import DataError
from tests.data.part_builders import read_forecasts
from tests.data.period_builders import PERIODS, make_panel

FAST = ["rounds=5"]
SPEC = EngineSpec(rounds=5)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a home of this test's own."""
    monkeypatch.setenv("MAGNETCAST_HOME", str(tmp_path / "var"))
    monkeypatch.setenv("MAGNETCAST_ARTIFACT_DIR", str(tmp_path / "artifacts"))
    monkeypatch.setenv("MAGNETCAST_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")


def write(folder: Path, name: str) -> Path:
    frame = make_panel(*PERIODS[name], series=14)
    frame.columns = ["destination", "period", "tonnes"]
    frame.to_csv(folder / "panel.csv", index=False, date_format="%Y-%m-%d")
    return folder / "panel.csv"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "first", "horizon"),
    [("quarter ends", "2025-03-31", 4), ("Sundays", "2018-11-04", 13)],
)
def test_a_panel_in_parts_has_the_forecasts_of_the_file(
    tmp_path: Path, name: str, first: str, horizon: int
) -> None:
    file = write(tmp_path, name)
    partition(panel=file, out=tmp_path / "parts", parts=3)

    predict(panel=file, set=FAST, out=tmp_path / "whole.csv")
    predict(panel=tmp_path / "parts", set=FAST, out=tmp_path / "out")

    whole = pd.read_csv(tmp_path / "whole.csv")
    found = read_forecasts(tmp_path / "out")
    assert len(parts_of(tmp_path / "out")) == 3
    assert whole["horizon"].max() == horizon
    assert whole["period"].iloc[0] == first
    assert found["period"].tolist() == whole["period"].tolist()
    assert found["p50"].tolist() == whole["p50"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "cutoffs", "horizon"),
    [
        ("quarter ends", ["2023-03-31", "2023-12-31"], 4),
        ("Sundays", ["2018-06-03", "2018-07-01"], 13),
    ],
    ids=["quarters", "weeks"],
)
def test_a_backtest_scores_what_came_after_its_cutoffs(
    tmp_path: Path, name: str, cutoffs: list[str], horizon: int
) -> None:
    file = write(tmp_path, name)

    backtest(panel=file, cutoffs=",".join(cutoffs), set=FAST, out=tmp_path / "out")

    made = pd.read_csv(tmp_path / "out" / "forecasts.csv")
    assert sorted(made["cutoff"].unique()) == cutoffs
    scores = pd.DataFrame(json.loads((tmp_path / "out" / "scores.json").read_text()))
    own = scores.loc[(scores["scope"] == "ALL") & (scores["metric"] == "mase")]
    by_model = own.set_index("model")
    assert set(by_model["horizon_to"]) == {horizon}
    assert by_model.loc["magnetcast", "cells"] == 14 * 2 * horizon
    assert by_model.loc["magnetcast", "value"] < by_model.loc["seasonal_naive", "value"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "horizon"), [("quarter ends", 4), ("Sundays", 13)])
def test_a_search_has_cutoffs_half_a_year_apart(tmp_path: Path, name: str, horizon: int) -> None:
    request = TuningRequest(1, str(write(tmp_path, name)), None, None)

    panels = read_panels(request, SPEC)

    [panel] = panels
    half = panel.frequency.year // 2
    assert panel.horizon == horizon
    assert [later - one for one, later in zip(panel.cutoffs, panel.cutoffs[1:], strict=False)] == [
        half
    ] * (len(panel.cutoffs) - 1)
    report = report_of(tune(panels, trials=1, spec=SPEC, seed=1), panels)
    assert report["panels"][0]["frequency"] == panel.frequency.alias  # type: ignore[index]


def test_parts_of_two_frequencies_are_refused(tmp_path: Path) -> None:
    frame = make_panel(*PERIODS["quarter ends"], series=1)
    weeks = make_panel(*PERIODS["Sundays"], series=1).assign(unique_id="w")
    both = pd.concat([frame, weeks])
    both.columns = ["destination", "period", "tonnes"]
    both.to_csv(tmp_path / "panel.csv", index=False, date_format="%Y-%m-%d")
    partition(panel=tmp_path / "panel.csv", out=tmp_path / "parts", parts=2)

    with pytest.raises(DataError, match="Expected one frequency in all parts"):
        predict(panel=tmp_path / "parts", out=tmp_path / "out")
