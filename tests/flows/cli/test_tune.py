import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from models.learning.spec import SPACE, EngineSpec, read_recipe
from models.registry import runs
from tests.flows.conftest import AS_OF

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    """Ten wandering series over five years from 2015-01."""
    draw = np.random.default_rng(3)
    months = pd.period_range("2015-01", periods=60, freq="M").astype(str)
    tonnes = 100.0 * np.exp(0.1 * draw.standard_normal((10, 60)).cumsum(axis=1))
    table = pd.DataFrame(tonnes, [f"S{i}" for i in range(10)], months)
    rows = table.rename_axis("destination").melt(
        var_name="period", value_name="tonnes", ignore_index=False
    )
    path = tmp_path / "panel.csv"
    rows.to_csv(path)
    return path


@pytest.mark.slow
def test_a_search_writes_the_spec_and_what_it_is_worth(
    magnetcast: Call, panel: Path, place: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "recipe.json"

    code, output, err = magnetcast(
        *("train", "--tune", "2", "--panel", str(panel), "--before", "2019-06"),
        *("--horizon", "3", "--out", str(out)),
    )

    assert (code, output) == (0, "")
    assert f"wrote {out}" in err
    recipe = json.loads(out.read_text(encoding="utf-8"))
    found = recipe["found"]
    assert read_recipe(out, EngineSpec).digest == found["digest"]
    assert found["trials"] == 2
    [result] = found["panels"]
    assert result["panel"] == "panel.csv"
    assert result["cutoffs"] == ["2017-09", "2018-03", "2018-09"]
    assert result["held_out_cutoff"] == "2019-03"
    assert result["left_out"] is None
    assert_one_run(place, found)


def assert_one_run(place: Path, found: dict[str, object]) -> None:
    client = MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(runs.EXPERIMENT)
    assert experiment is not None
    runs_of = {
        str(run.info.run_name): run for run in client.search_runs([experiment.experiment_id])
    }
    assert set(runs_of) == {"tune", "trial 0", "trial 1"}
    run = runs_of["tune"]
    wanted = {"flow": "tune", "panels": "panel.csv", "before": "2019-06", "horizon": "3"}
    assert wanted.items() <= run.data.tags.items()
    assert run.data.params["trials"] == "2"
    assert {choice.name for choice in SPACE} <= set(run.data.params)
    assert run.data.metrics["searched"] == pytest.approx(found["searched"], abs=1e-4)
    first = runs_of["trial 0"]
    assert first.data.tags["mlflow.parentRunId"] == run.info.run_id
    assert first.data.metrics == {"ratio": 1.0}
    assert set(first.data.params) == {choice.name for choice in SPACE}
    kept = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert kept == {"trials.csv", "gains.csv", "recipe.json"}


@pytest.mark.usefixtures("home")
def test_a_search_on_the_magnets_needs_scored_origins(magnetcast: Call) -> None:
    code, _, err = magnetcast("train", "--tune", "1", "--as-of", AS_OF)

    assert code == 1
    assert "No month is scored before 2019-04-22" in err
    assert "Take a later --as-of, or tune on panels with --panel FILE." in err
