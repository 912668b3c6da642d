from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from pydantic import SecretStr

from flows.context.stores import store_of
from flows.publishing import forecast_explanation as explain
from flows.run import run
from models.registry.runs import EXPERIMENT
from models.registry.stored_model import MODEL
from publication.planning.planning_file import FILE
from store.errors import DataError
from store.facts.commodities import evidence_digests
from store.facts.reading import latest_forecast, read_forecasts, read_runs
from store.planning import read_alerts
from store.settings import Settings
from store.vocabulary import DESTINATIONS
from tests.data.builders import at
from tests.data.registry_builders import champion_of
from tests.flows.conftest import AS_OF, LATER, Published, copied
from tests.helpers import receiving


def test_every_destination_and_month_is_published_once(published: Published) -> None:
    rows = read_forecasts(store_of(published.settings))

    assert set(rows["destination"]) == {*DESTINATIONS, "WLD", "EU27"}
    assert not rows.duplicated(["destination", "period"]).any()
    assert sorted(rows["period"].unique()) == [
        str(month) for month in pd.period_range("2020-04", "2021-03", freq="M")
    ]
    assert len(rows) == published.outcome.rows_published == 12 * 12
    assert set(rows["cutoff"]) == {"2020-03"}
    assert (rows["as_of"] == at(AS_OF)).all()


def test_what_is_published_is_the_champions_and_states_what_moved_it(published: Published) -> None:
    rows = read_forecasts(store_of(published.settings))

    champion = champion_of(published.settings)
    assert set(rows["model"]) == {champion.model_version}
    assert set(rows["status"]) == {"champion"}
    assert rows["drivers"].str.startswith("[[").all()
    fingerprint = evidence_digests(store_of(published.settings), as_of=at(AS_OF)).digest
    assert set(rows["data_vintage"]) == {fingerprint}


def test_the_champion_is_tagged_with_day_data_and_commit(published: Published) -> None:
    client = MlflowClient(published.settings.tracking_uri)
    champion = champion_of(published.settings)

    tags = client.get_model_version(MODEL, str(champion.version)).tags

    assert pd.Timestamp(tags["as_of"]) == at(AS_OF)
    fingerprint = evidence_digests(store_of(published.settings), as_of=at(AS_OF)).digest
    assert tags["data_vintage"] == fingerprint
    assert len(tags["git_commit"].removesuffix("-dirty")) in {40, len("unknown")}


def test_the_job_is_one_run_in_mlflow_and_its_steps_are_parts(published: Published) -> None:
    client = MlflowClient(published.settings.tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    found = {str(run.info.run_name): run for run in runs}

    [name] = [name for name in found if name.startswith(f"run {AS_OF} ")]
    whole = found.pop(name)
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {whole.info.run_id}
    assert {f"scores {AS_OF}", "version 1"} <= set(found)
    kinds = {run.data.tags["flow"]: name.split(" ")[0] for name, run in found.items()}
    assert len(set(kinds.values())) == len(kinds)
    assert name.split(" ")[-1] in whole.data.tags["model_version"]
    assert (whole.data.tags["job"], whole.data.tags["commodity"]) == ("run", "85051110")
    assert {"as_of", "data_vintage", "git_commit"} <= set(whole.data.tags)
    assert {run.info.status for run in [whole, *found.values()]} == {"FINISHED"}


def test_the_main_job_sends_the_alerts_about_the_newest_publication(
    second_run: Published, data_dir: Path, tmp_path: Path
) -> None:
    settings = copied(second_run, tmp_path / "place", data_dir).settings
    rule = {"name": "any", "measure": "median", "points": 0.001, "destination": "USA"}
    planning = yaml.safe_dump({"alert_rules": [rule]})
    (settings.home / FILE).write_text(planning, encoding="utf-8")

    with receiving() as receiver:
        addresses = {"alert_urls": SecretStr(receiver.address)}
        outcome = run(settings.model_copy(update=addresses), at(LATER))

    assert not outcome.is_new
    (row,) = read_alerts(store_of(settings)).to_dict("records")
    assert (row["against"], row["as_of"]) == (at(AS_OF), at(LATER))
    assert len(receiver.taken) == 1


@pytest.mark.slow
def test_a_run_that_fails_is_noted_as_failed(place: Path) -> None:
    settings = Settings()

    with pytest.raises(DataError, match="2019-06-25"):
        run(settings, at("2019-06-25"))

    [row] = read_runs(store_of(settings)).to_dict("records")
    assert row["status"] == "failed"
    assert latest_forecast(store_of(settings)).empty
    assert not (place / "var" / "publications").exists()


@pytest.mark.slow
def test_a_publication_is_explained_once_and_trouble_is_reported(
    second_run: Published, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no disk")

    monkeypatch.setattr(explain, "explanation_of", fail)
    explain.explain_if_possible(second_run.settings)
    assert "not explained" not in capsys.readouterr().err

    monkeypatch.setattr(explain, "read_explanation", lambda *_: None)
    explain.explain_if_possible(second_run.settings)
    assert "not explained (RuntimeError: no disk)" in capsys.readouterr().err
