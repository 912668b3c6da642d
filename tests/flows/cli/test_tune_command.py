import json
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from flows import tune
from models.evaluation.backtest import Backtest
from models.forecasting.model_names import MODEL
from models.forecasting.residual_history import ResidualHistory
from models.learning.parameters import (
    MAGNETS_PRESET,
    SEARCH_SPACE,
    ModelParameters,
    read_parameters,
)
from models.registry import runs
from store.settings import Settings
from tests.flows.conftest import AS_OF, Call


def backtested(*_: object, parameters: ModelParameters, **__: object) -> Backtest:
    """Stand in for a backtest: errors fall with the number of leaves."""
    moments = pd.to_datetime(["2018-12-01", "2019-12-01"], utc=True)
    periods = moments.tz_localize(None) + pd.DateOffset(months=1)
    cells = pd.DataFrame({"as_of": moments, "model": MODEL, "period": periods, "horizon": 1})
    cells = cells.assign(scaled_error=1 / parameters.num_leaves, scaled_quantile_loss=1.0)
    cells = cells.assign(destination="USA", absolute_error=1.0, is_covered=True)
    cells[["tonnes", "p10", "p50", "p90"]] = 10.0, 8.0, 11.0, 12.0
    return Backtest(pd.DataFrame(), cells, pd.DataFrame(), ResidualHistory())


def test_a_search_writes_parameters_and_each_trial_is_a_run(
    magnetcast: Call, home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "backtest_evidence", backtested)
    out = tmp_path / "new" / "parameters.json"

    code, output, err = magnetcast("train", "--tune", "3", "--as-of", AS_OF, "--out", str(out))

    assert (code, output) == (0, "")
    assert f"wrote {out}" in err
    assert "lead 1-3, held out: loss 1.00 (1.00 before), bias +10% (+10%)" in err
    found = json.loads(out.read_text(encoding="utf-8"))["found"]
    assert read_parameters(out, MAGNETS_PRESET).digest == found["digest"]
    assert (found["trials"], found["held_out_from"]) == (3, "2019-04-22")
    client = MlflowClient(home.tracking_uri)
    experiment = client.get_experiment_by_name(runs.EXPERIMENT)
    assert experiment is not None
    known = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    search, first = known["tune"], known["trial 0"]
    assert {"trial 1", "trial 2"} < set(known)
    assert search.data.tags["flow"] == "tune"
    assert search.data.params["trials"] == "3"
    assert search.data.metrics["searched"] == pytest.approx(found["searched"], abs=1e-4)
    assert first.data.tags["mlflow.parentRunId"] == search.info.run_id
    assert first.data.metrics == {"ratio": 1.0}
    assert set(first.data.params) == set(SEARCH_SPACE)
    kept = {item.path for item in client.list_artifacts(search.info.run_id)}
    assert kept == {"trials.csv", "leads.csv", "parameters.json"}
