from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from prefect.server.api.server import SubprocessASGIServer

import magnetcast as mc
from flows.cli.ingest_commands import figure
from flows.context.stores import store_of
from store.errors import DataError, StoreError
from store.facts.reading import newest_ingest
from store.settings import PROJECT_ROOT
from store.vocabulary import QUANTILE_COLUMNS
from tests.flows.conftest import AS_OF, LATER, Published, copied, point_at

pytestmark = pytest.mark.usefixtures("real_flows")


@pytest.fixture(scope="module")
def home(
    first_run: Published, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    return copied(first_run, tmp_path_factory.mktemp("api") / "place", data_dir)


@pytest.fixture(autouse=True)
def _there(home: Published, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point to the store of one run, and let no server of Prefect's be started."""

    def refuse(_: SubprocessASGIServer, timeout: int | None = None) -> None:
        pytest.fail(f"a server of Prefect was to be started, timeout {timeout}")

    monkeypatch.setattr(SubprocessASGIServer, "start", refuse)
    point_at(home.folder, data_dir, monkeypatch)


def test_the_panel_is_the_one_known_then() -> None:
    panel = mc.panel(AS_OF)

    assert list(panel.columns)[:3] == ["destination", "period", "tonnes"]
    assert panel["period"].max() == pd.Timestamp("2020-03-01")
    assert mc.panel(LATER)["period"].max() == pd.Timestamp("2020-04-01")
    assert (panel["available_at"].dropna() <= pd.Timestamp(AS_OF, tz="UTC")).all()


def test_a_stored_model_gives_the_published_forecast(home: Published) -> None:
    mlflow.set_tracking_uri(home.settings.tracking_uri)
    asked = pd.DataFrame({"as_of": [AS_OF, AS_OF], "destination": ["USA", "DEU"]})

    found = mlflow.pyfunc.load_model("models:/magnetcast@champion").predict(asked)

    published = home.outcome.forecasts
    published = published.loc[published["destination"].isin(asked["destination"])]
    published = published.assign(period=pd.to_datetime(published["period"]))
    keys, numbers = ["destination", "period"], [*QUANTILE_COLUMNS, "mean"]
    pd.testing.assert_frame_equal(
        found.set_index(keys).sort_index()[numbers],
        published.set_index(keys).sort_index()[numbers],
        rtol=1e-9,
    )


def test_a_stored_model_forecasts_no_moment_before_what_it_learned_from(home: Published) -> None:
    mlflow.set_tracking_uri(home.settings.tracking_uri)
    model = mlflow.pyfunc.load_model("models:/magnetcast@champion")

    with pytest.raises(DataError, match="learned from figures published until 2020-0"):
        model.predict(pd.DataFrame({"as_of": ["2020-01-25"]}))


@pytest.mark.slow
def test_a_scenario_may_be_a_file_or_a_dictionary(tmp_path: Path) -> None:
    step = {"importer": "USA", "rate_pct": 60, "effective_from": "2020-08-01"}
    file = tmp_path / "scenario.yaml"
    file.write_text("name: a tariff\ntariffs:\n  - " + str(step).replace("'", "") + "\n", "utf-8")

    table = mc.scenario({"name": "a tariff", "tariffs": [step]}, AS_OF)

    assert {"destination", "period", "base_p50", "scenario_p50"} <= set(table.columns)
    assert table["period"].dtype.kind == "M"
    pd.testing.assert_frame_equal(mc.scenario(file, AS_OF), table)


def test_every_public_name_is_there_and_documented() -> None:
    page = (PROJECT_ROOT / "docs" / "tutorials" / "python.md").read_text(encoding="utf-8")

    for name in mc.__all__:
        assert getattr(mc, name).__doc__
        assert f"mc.{name}" in page
    assert set(mc.__all__) < set(dir(mc))
    with pytest.raises(AttributeError, match="no attribute 'fore'"):
        mc.fore  # noqa: B018


def test_scores_and_moments_are_kept_where_mlflow_looks_for_them(home: Published) -> None:
    client = MlflowClient(home.settings.tracking_uri)
    version = client.get_model_version_by_alias("magnetcast", "champion")
    logged = client.get_logged_model(version.tags["model_id"])
    trained = client.get_run(version.run_id)
    job = client.get_run(trained.data.tags["mlflow.parentRunId"])

    scores = {metric.key: metric.value for metric in logged.metrics}

    assert {"wape_ALL", "sql_ALL", "coverage80_ALL"} < set(scores)
    assert trained.data.metrics == job.data.metrics == scores
    moment = pd.Timestamp(trained.data.tags["as_of"])
    source = trained.inputs.dataset_inputs[0].dataset.source
    assert f"--as-of {moment:%Y-%m-%dT%H:%M:%SZ}" in source
    assert "`magnetcast replay` recomputes what was published" in version.description


@pytest.mark.slow
def test_a_training_that_changes_nothing_leaves_no_run(home: Published) -> None:
    client = MlflowClient(home.settings.tracking_uri)
    runs = {run.info.run_name for run in client.search_runs(["1"])}

    assert mc.train(AS_OF) == 1

    names = [run.info.run_name for run in client.search_runs(["1"])]
    assert [name for name in names if name.startswith("version ")] == ["version 1"]
    assert "version 1" in runs


def test_what_no_table_or_champion_stands_behind_is_refused() -> None:
    for ask in (mc.panel, mc.features):
        with pytest.raises(DataError, match="250410"):
            ask(AS_OF, commodity="250410")
    with pytest.raises(StoreError, match="has one champion"):
        mc.rollback("a test")


def test_with_its_vintage_a_stored_model_answers_as_before_a_late_figure(home: Published) -> None:
    mlflow.set_tracking_uri(home.settings.tracking_uri)
    model = mlflow.pyfunc.load_model("models:/magnetcast@champion")
    asked = pd.DataFrame({"as_of": [AS_OF], "destination": ["USA"]})
    before, vintage = model.predict(asked), newest_ingest(store_of(home.settings))

    figure(
        period="2020-03", destination="USA", tonnes="777", source="a letter",
        published_on="2020-04-21",
    )  # fmt: skip

    late, again = model.predict(asked), model.predict(asked.assign(vintage=vintage))
    assert (late["p50"] != before["p50"]).any()
    pd.testing.assert_frame_equal(again, before)
