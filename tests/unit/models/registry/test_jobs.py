import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from models.registry import jobs, mlflow_client, tracking
from models.registry.datasets import panel_dataset
from store.errors import StoreError
from store.publications.panels import NO_PANEL, StoredPanel
from store.settings import Settings

PARENT = "mlflow.parentRunId"
BEGAN = 1_600_000_000_000


def kept(settings: Settings) -> dict[str, Run]:
    client, experiment = mlflow_client.connect(settings)
    return {str(run.info.run_name): run for run in client.search_runs([experiment])}


def make_panel() -> StoredPanel:
    months = pd.DataFrame(
        {
            "destination": ["DEU", "USA"],
            "period": pd.Timestamp("2020-03-01"),
            "tonnes": [10.0, 20.0],
            "stderr_log": 0.0,
            "kind": "observed",
            "available_at": pd.Timestamp("2020-04-20", tz="UTC"),
        }
    )
    return StoredPanel(months, NO_PANEL.contradictions)


def job(settings: Settings, verb: str = "run"):
    return jobs.open_job(
        settings, name=f"{verb} 2020-04-22", tags={jobs.JOB_TAG: verb}, began_ms=BEGAN
    )


def test_runs_of_a_job_are_parts_of_one_that_is_named_by_its_recipe(
    mlflow_settings: Settings,
) -> None:
    with job(mlflow_settings):
        jobs.describe_job("train 2020-04-22 other", "train", {})  # another job within
        jobs.describe_job("run 2020-04-22 ab12", "run", {"data_vintage": "v"})
        for name in ("backtest", "train"):
            with tracking.open_run(mlflow_settings, name=name, tags={"flow": name}):
                pass
        with (
            job(mlflow_settings, "train"),
            tracking.open_run(mlflow_settings, name="shadow", tags={}),
        ):
            pass
    with tracking.open_run(mlflow_settings, name="alone", tags={}):
        pass

    found = kept(mlflow_settings)
    whole = found["run 2020-04-22 ab12"]
    assert set(found) == {whole.info.run_name, "backtest", "train", "shadow", "alone"}
    parts = {name for name, run in found.items() if run.data.tags.get(PARENT) == whole.info.run_id}
    assert parts == {"backtest", "train", "shadow"}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert whole.info.start_time == BEGAN
    assert (whole.data.tags["job"], whole.data.tags["data_vintage"]) == ("run", "v")


def test_a_job_that_records_nothing_leaves_no_run(mlflow_settings: Settings) -> None:
    with job(mlflow_settings):
        pass

    assert kept(mlflow_settings) == {}


@pytest.mark.parametrize("recorded", [False, True], ids=["before-a-part", "after-a-part"])
def test_a_job_that_fails_leaves_a_failed_run_with_its_error(
    mlflow_settings: Settings, *, recorded: bool
) -> None:
    def fail() -> None:
        with job(mlflow_settings):
            if recorded:
                with tracking.open_run(mlflow_settings, name="backtest", tags={}):
                    pass
            raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows"):
        fail()

    run = kept(mlflow_settings)["run 2020-04-22"]
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "ValueError: no rows")
    assert not jobs.is_open()


def test_a_job_that_fails_makes_no_database(mlflow_settings: Settings) -> None:
    elsewhere = mlflow_settings.model_copy(
        update={"tracking_uri": f"sqlite:///{mlflow_settings.home}/none.db"}
    )

    with pytest.raises(ValueError, match="no rows"), job(elsewhere):
        raise ValueError("no rows")

    assert not mlflow_client.is_kept(elsewhere)


def test_a_part_that_fails_and_is_dealt_with_leaves_its_job_sound(
    mlflow_settings: Settings,
) -> None:
    with (
        job(mlflow_settings),
        pytest.raises(StoreError),
        tracking.open_run(mlflow_settings, name="backtest", tags={}),
    ):
        raise StoreError("the disk is full")

    found = kept(mlflow_settings)
    assert found["backtest"].info.status == "FAILED"
    assert found["run 2020-04-22"].info.status == "FINISHED"


def test_runs_of_a_process_that_was_killed_are_closed_and_others_go_on(
    mlflow_settings: Settings,
) -> None:
    client, experiment = mlflow_client.connect(mlflow_settings)

    def begun(name: str, at: int = 2_000, **tags: str) -> str:
        run = client.create_run(
            experiment, at, {PARENT if n == "of" else n: v for n, v in tags.items()}, name
        )
        return str(run.info.run_id)

    begun("train", of=begun("run", job="run"))
    begun("replay", of=begun("backtest", job="backtest"))
    begun("tune")
    begun("old", at=999)
    done = begun("done", job="backtest")
    client.set_terminated(done, "FINISHED")
    begun("left", of=done)

    jobs.settle_runs(mlflow_settings, before_ms=1_000)

    found = kept(mlflow_settings)
    failed = {name for name, run in found.items() if run.info.status == "FAILED"}
    assert failed == {"run", "train", "old", "left"}
    assert {found[name].data.tags["error"] for name in failed} == {jobs.CUT_OFF}
    assert {found[name].info.status for name in ("backtest", "replay", "tune")} == {"RUNNING"}


def test_choices_scores_and_data_stay_on_the_part_and_on_the_job(
    mlflow_settings: Settings,
) -> None:
    panel = make_panel()
    data = panel_dataset(
        panel,
        "evidence panel",
        as_of=pd.Timestamp("2020-04-22", tz="UTC"),
        data_vintage="v1",
        source="magnetcast panel --as-of 2020-04-22",
    )

    with job(mlflow_settings), tracking.open_run(mlflow_settings, name="backtest", tags={}) as run:
        run.summary({"rounds": 80}, {"wape_ALL": 0.25}, data)

    for one in kept(mlflow_settings).values():
        assert one.data.params == {"rounds": "80"}
        assert one.data.metrics == {"wape_ALL": 0.25}
        [used] = (
            MlflowClient(mlflow_settings.tracking_uri)
            .get_run(one.info.run_id)
            .inputs.dataset_inputs
        )
        profile = pd.read_json(pd.io.common.StringIO(used.dataset.profile), typ="series")
        assert used.dataset.digest == panel.digest[:12]
        assert profile["sha256"] == panel.digest
        assert (profile["data_vintage"], profile["num_rows"]) == ("v1", 2)
        assert str(profile["as_of"]).startswith("2020-04-22")
        assert "magnetcast panel --as-of 2020-04-22" in used.dataset.source
        assert '"tonnes"' in used.dataset.schema
