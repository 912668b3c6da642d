import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from flows.context.parameter_sources import parameters_for
from flows.context.stores import store_of
from flows.publishing.publication_lookup import publication, replayed
from flows.run import run
from models.learning.parameters import MAGNETS_PRESET
from models.registry import model_registry
from models.registry.runs import find_runs
from store.facts.reading import latest_forecast
from store.publications.backtests import read_scores
from store.publications.integrity import made_with
from store.settings import Settings
from tests.data.builders import at
from tests.data.registry_builders import champion_of
from tests.flows.conftest import AS_OF, LATER, Call

OTHER = replace(MAGNETS_PRESET, learning_rate=0.1, num_leaves=7)
SET = ("--set", "learning_rate=0.1", "--set", "num_leaves=7")


@pytest.mark.slow
def test_other_parameters_at_the_same_as_of_stays_beside_the_first_and_is_kept_once_promoted(
    home: Settings, magnetcast: Call
) -> None:
    code, _, err = magnetcast("train", "--as-of", AS_OF, *SET)

    assert code == 0, err
    first, second = (model_registry.at_version(home, version) for version in (1, 2))
    assert first.model_version != second.model_version
    assert OTHER.digest in second.model_version
    assert json.loads(second.parameters) == OTHER.changed
    client = MlflowClient(home.tracking_uri)
    params = [client.get_run(one.run_id).data.params for one in (first, second)]
    assert [one["learning_rate"] for one in params] == ["0.05", "0.1"]
    assert len(find_runs(home, {"flow": "train"})) == 2
    # Pages show how the parameters in force did, not one on trial.
    shown = set(read_scores(store_of(home))["model"])
    assert first.model_version in shown
    assert second.model_version not in shown

    # Too few origins show that it is better: the schedule keeps the champion and its parameters.
    champion = champion_of(home)
    assert champion.version == 1
    assert not run(home, at(AS_OF)).is_new
    assert parameters_for(home, at(LATER)).parameters == MAGNETS_PRESET

    # Once a person promotes it, the schedule trains by its parameters, and reports it.
    code, _, err = magnetcast("promote", "2", "--as-of", AS_OF, "--accept", "a trial")
    assert code == 0, err
    assert parameters_for(home, at("2020-04-21")).parameters == MAGNETS_PRESET
    assert parameters_for(home, at(LATER)).parameters == OTHER
    _, out, _ = magnetcast("config", "show", "--as-of", LATER, "--format", "csv")
    assert 'magnets.num_leaves,7,leaves,"champion, version 2"' in out
    assert run(home, at(LATER)).is_new
    new = champion_of(home)
    assert (new.version, new.parameters) == (3, second.parameters)
    rows = latest_forecast(store_of(home))
    assert set(rows["model"]) == {new.model_version}
    made = made_with(store_of(home), int(rows["publication"].iloc[0]))
    assert made["parameters"] == OTHER.changed
    assert replayed(home, publication(home, at(LATER))).difference == ""


@pytest.mark.slow
def test_a_backtest_since_a_month_leaves_the_scores_in_force(
    home: Settings, magnetcast: Call, tmp_path: Path
) -> None:
    before = read_scores(store_of(home))

    code, _, err = magnetcast(
        *("backtest", "--as-of", LATER, "--since", "2020-03", "--out", str(tmp_path / "out"))
    )

    assert code == 0, err
    assert "months to come: error" in err
    pd.testing.assert_frame_equal(read_scores(store_of(home)), before)
    [kept] = find_runs(home, {"flow": "backtest-since"})
    assert kept.data.tags["since"] == "2020-03"
    cells = pd.read_csv(tmp_path / "out" / "cells.csv")
    assert set(cells["as_of"].str[:10]) == {"2020-03-25", "2020-04-25"}
