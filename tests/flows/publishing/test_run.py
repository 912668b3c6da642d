from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from flows.context.stores import store_of
from flows.context.workspace import open_evidence
from flows.publishing.publish_or_hold import run_entry
from flows.run import run
from models.registry import model_registry
from models.registry import runs as mlflow_client
from models.registry.stored_model import MODEL
from store.errors import DataError
from store.facts.commodities import evidence_digests
from store.facts.reading import latest_forecast, read_forecasts, read_runs
from store.settings import Settings
from store.vocabulary import DESTINATIONS
from tests.data.builders import at
from tests.flows.conftest import AS_OF, Published


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

    champion = model_registry.champion(published.settings)
    assert champion is not None
    assert set(rows["model"]) == {champion.model_version}
    assert set(rows["status"]) == {"champion"}
    assert rows["drivers"].str.startswith("[[").all()
    fingerprint = evidence_digests(store_of(published.settings), as_of=at(AS_OF)).digest
    assert set(rows["data_vintage"]) == {fingerprint}


def test_the_champion_is_tagged_with_day_data_and_commit(published: Published) -> None:
    client = MlflowClient(published.settings.tracking_uri)
    champion = model_registry.champion(published.settings)
    assert champion is not None

    tags = client.get_model_version(MODEL, str(champion.version)).tags

    assert pd.Timestamp(tags["as_of"]) == at(AS_OF)
    fingerprint = evidence_digests(store_of(published.settings), as_of=at(AS_OF)).digest
    assert tags["data_vintage"] == fingerprint
    assert len(tags["git_commit"].removesuffix("-dirty")) in {40, len("unknown")}


def test_a_run_that_fails_later_says_whom_it_made_champion(
    home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    for day in (AS_OF, "2020-04-23"):
        with pytest.raises(DataError, match="full"), run_entry(open_evidence(home, at(day))):
            raise DataError("The disk is full.")

    output = capsys.readouterr().err
    assert output == "run       version 1, trained on these facts, is champion\n"


@pytest.mark.parametrize("flow", ["backtest", "train"])
def test_each_flow_leaves_one_tagged_run_in_mlflow(published: Published, flow: str) -> None:
    client = MlflowClient(published.settings.tracking_uri)
    experiment = client.get_experiment_by_name(mlflow_client.EXPERIMENT)
    assert experiment is not None

    runs = client.search_runs([experiment.experiment_id], f"tags.flow = '{flow}'")

    [one] = runs
    assert {"as_of", "data_vintage", "git_commit", "model_version"} <= set(one.data.tags)
    assert one.inputs.dataset_inputs
    kept = {file.path for file in client.list_artifacts(one.info.run_id)}
    assert ("importances.csv" in kept, bool(one.data.metrics)) == (
        flow == "train",
        flow == "backtest",
    )


def mlflow_runs(settings: Settings) -> dict[str, Run]:
    client = MlflowClient(settings.tracking_uri)
    experiment = client.get_experiment_by_name(mlflow_client.EXPERIMENT)
    assert experiment is not None
    return {str(run.info.run_name): run for run in client.search_runs([experiment.experiment_id])}


def test_the_job_is_one_run_in_mlflow_and_its_steps_are_parts(published: Published) -> None:
    found = mlflow_runs(published.settings)

    [name] = [name for name in found if name.startswith(f"run {AS_OF} ")]
    whole = found.pop(name)
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {whole.info.run_id}
    assert {"backtest", "train"} <= set(found)
    assert name.split(" ")[-1] in whole.data.tags["model_version"]
    assert (whole.data.tags["job"], whole.data.tags["commodity"]) == ("run", "85051110")
    assert {"as_of", "data_vintage", "git_commit"} <= set(whole.data.tags)
    assert {run.info.status for run in [whole, *found.values()]} == {"FINISHED"}


def test_the_version_states_what_it_is_and_how_good(published: Published) -> None:
    client = MlflowClient(published.settings.tracking_uri)

    version = client.get_model_version(MODEL, "1")

    assert "HS 85051110" in client.get_registered_model(MODEL).description
    assert f"data to 2020-03 as known on {AS_OF}. Backtest: error " in version.description
    [logged] = client.search_logged_models([client.get_run(version.run_id).info.experiment_id])
    assert logged.params["learning_rate"] == "0.05"


@pytest.mark.slow
def test_a_second_run_publishes_nothing_and_states_so(
    published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = store_of(published.settings)
    before = read_forecasts(engine)

    again = run(published.settings, at(AS_OF))

    assert (again.is_new, again.rows_published) == (False, 0)
    assert "nothing new since the forecast of 2020-04-22; nothing was published" in (
        capsys.readouterr().err
    )
    pd.testing.assert_frame_equal(read_forecasts(engine), before)
    assert len(read_runs(engine)) == 1
    client = MlflowClient(published.settings.tracking_uri)
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 1
    assert len([name for name in mlflow_runs(published.settings) if name[:4] == "run "]) == 1


@pytest.mark.slow
def test_a_run_that_fails_is_noted_as_failed(place: Path) -> None:
    settings = Settings()

    with pytest.raises(DataError, match="2019-06-25"):
        run(settings, at("2019-06-25"))

    [row] = read_runs(store_of(settings)).to_dict("records")
    assert row["status"] == "failed"
    assert latest_forecast(store_of(settings)).empty
    assert not (place / "var" / "reports").exists()
