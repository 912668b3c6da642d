import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from filelock import FileLock
from mlflow.entities import Run

from models.registry import model_registry
from models.registry import runs as mlflow_client
from models.registry.runs import (
    connect,
    find_runs,
    log_months,
    log_table,
    open_job,
    open_run,
    read_text,
)
from models.registry.stored_model import record_file
from store.errors import StoreError
from store.settings import PROJECT_ROOT, Settings

OPEN = """
import sys
from models.registry.runs import connect
from store.settings import Settings
connect(Settings(home=sys.argv[1], tracking_uri=sys.argv[2], artifact_dir=sys.argv[3]))
"""

TAGS = {"as_of": "2026-02-25", "data_vintage": "abc", "flow": "train"}
PARENT = "mlflow.parentRunId"


def kept(settings: Settings) -> dict[str, Run]:
    client, experiment = connect(settings)
    return {str(run.info.run_name): run for run in client.search_runs([experiment])}


@pytest.mark.slow
def test_two_processes_open_a_fresh_database_at_once_and_say_nothing(tmp_path: Path) -> None:
    paths = [str(tmp_path / "var"), f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path / "artifacts")]
    processes = [
        subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", OPEN, *paths],
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]

    outputs = [process.communicate(timeout=600)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert outputs == ["", ""]


def test_a_database_that_another_opens_is_waited_for_and_then_refused(
    mlflow_settings: Settings,
) -> None:
    hasty = mlflow_settings.model_copy(update={"lock_timeout_s": 0.05})

    with (
        FileLock(f"{record_file(hasty)}.lock"),
        pytest.raises(StoreError, match="is being opened by another process"),
    ):
        connect(hasty)


def test_a_run_keeps_what_is_logged_and_the_process_its_own_database(
    mlflow_settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame({"destination": ["DEU", "USA"], "p50": [1.1, 0.30000000000000004]})
    before = mlflow.get_tracking_uri()

    with open_run(mlflow_settings, name="backtest", tags=TAGS) as run:
        mlflow.log_metrics({"wql": 0.25}, step=0)
        mlflow.log_metrics({"wql": 0.125, "coverage": float("nan")}, step=1)
        log_table(frame, "scores.csv")

    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None
    assert capfd.readouterr() == ("", "")
    found = kept(mlflow_settings)["backtest"]
    assert (found.info.status, found.data.metrics["wql"]) == ("FINISHED", 0.125)
    assert {name: found.data.tags[name] for name in TAGS} == TAGS
    folder = mlflow_settings.artifact_dir / run.info.run_id / "artifacts"
    expected = "destination,p50\nDEU,1.1\nUSA,0.30000000000000004\n"
    assert (folder / "scores.csv").read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("no rows"), "FAILED"), (KeyboardInterrupt("no rows"), "KILLED")],
    ids=["exception", "interrupt"],
)
def test_a_run_that_breaks_off_is_marked_and_not_found(
    mlflow_settings: Settings, error: BaseException, status: str
) -> None:
    with (
        pytest.raises(type(error), match="no rows"),
        open_run(mlflow_settings, name="train", tags=TAGS),
    ):
        raise error

    found = kept(mlflow_settings)["train"]
    assert found.info.status == status
    assert found.data.tags["error"] == f"{type(error).__name__}: no rows"
    assert find_runs(mlflow_settings, TAGS) == []


def test_a_copied_home_writes_its_runs_beside_itself(
    mlflow_settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_run(mlflow_settings, name="train", tags=TAGS) as first:
        mlflow.log_text("one", "first.txt")
    there, (database, here) = mlflow_settings.artifact_dir, copied_home(mlflow_settings, tmp_path)

    with open_run(here, name="train", tags=TAGS):
        mlflow.log_text("two", "second.txt")

    assert list(there.rglob("second.txt")) == []
    assert [file.read_text() for file in here.artifact_dir.rglob("second.txt")] == ["two"]
    assert read_text(here, first.info.run_id, "first.txt") == "one"
    assert there.as_uri().encode() not in database.read_bytes()
    places = f"{there}. MLflow's runs and models are now read from and written to "
    assert f"was copied or moved from the folder of {places}{here.artifact_dir}" in caplog.text


def copied_home(settings: Settings, folder: Path) -> tuple[Path, Settings]:
    """Database and settings of a copy of MLflow's files."""
    database, artifacts = folder / "copy" / "mlflow.db", folder / "copy" / "artifacts"
    shutil.copytree(settings.artifact_dir, artifacts)
    shutil.copy(record_file(settings) or "", database)
    uri = f"sqlite:///{database}"
    return database, settings.model_copy(update={"tracking_uri": uri, "artifact_dir": artifacts})


def test_runs_opened_within_a_job_are_its_children(mlflow_settings: Settings) -> None:
    with open_job(mlflow_settings, name="run 2020-04-22", tags={"job": "run"}):
        for name in ("backtest", "train"):
            with open_run(mlflow_settings, name=name, tags={"flow": name}):
                pass
        with pytest.raises(StoreError), open_run(mlflow_settings, name="broken", tags={}):
            raise StoreError("the disk is full")
    with open_run(mlflow_settings, name="alone", tags={}):
        pass

    found = kept(mlflow_settings)
    job = found["run 2020-04-22"].info
    children = {name for name, run in found.items() if run.data.tags.get(PARENT) == job.run_id}
    assert children == {"backtest", "train", "broken"}
    failed = [name for name, run in found.items() if run.info.status != "FINISHED"]
    assert failed == ["broken"]


def test_a_job_goes_on_where_mlflow_is_away(mlflow_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)
    went_on = []

    with open_job(mlflow_settings, name="run", tags={"job": "run"}):
        went_on.append(mlflow.active_run())

    assert went_on == [None]


def test_a_run_names_the_panel_it_was_made_from(mlflow_settings: Settings) -> None:
    months = pd.DataFrame({"destination": ["DEU", "USA"], "tonnes": [10.0, 20.0]})
    command = "magnetcast data panel --as-of 2020-04-22"

    with open_run(mlflow_settings, name="backtest", tags={}):
        log_months(months, "evidence panel", source=command, digest="abc", data_vintage="v1")

    [used] = kept(mlflow_settings)["backtest"].inputs.dataset_inputs
    assert used.dataset.digest == "abc"
    assert {tag.key: tag.value for tag in used.tags}["data_vintage"] == "v1"
    assert command in used.dataset.source


def test_a_table_without_a_digest_is_known_by_all_of_its_rows(mlflow_settings: Settings) -> None:
    rows = 12_000
    period = pd.date_range("2020-01-01", periods=rows, freq="D")
    months = pd.DataFrame({"series": range(rows), "period": period, "tonnes": 1.0})
    last = months.assign(tonnes=[1.0] * (rows - 1) + [2.0])
    later = months.assign(period=period + pd.DateOffset(years=1))
    tables = {"same": months.copy(), "a last row": last, "other dates": later, "first": months}

    for name, table in tables.items():
        with open_run(mlflow_settings, name=name, tags={}):
            log_months(table, "panel file", source="panel.csv")

    digests = {
        name: run.inputs.dataset_inputs[0].dataset.digest
        for name, run in kept(mlflow_settings).items()
    }
    assert digests["same"] == digests["first"]
    assert len(set(digests.values())) == 3


def test_finished_runs_with_all_tags_are_found_newest_first(mlflow_settings: Settings) -> None:
    runs = []
    for tags in (TAGS, TAGS, {**TAGS, "flow": "backtest"}):
        with open_run(mlflow_settings, name="train", tags=tags) as run:
            runs.append(run.info.run_id)
        time.sleep(0.005)  # MLflow orders runs by the millisecond

    assert [run.info.run_id for run in find_runs(mlflow_settings, TAGS)] == runs[1::-1]
    assert find_runs(mlflow_settings, {**TAGS, "as_of": "2026-01-01"}) == []


@pytest.mark.parametrize(
    "ask",
    [
        lambda settings: find_runs(settings, {"flow": "train"}),
        model_registry.aliased,
        lambda settings: model_registry.set_alias(settings, "challenger", 1),
        lambda settings: open_run(settings, name="train", tags=TAGS).__enter__(),
    ],
    ids=["find_runs", "aliased", "set_alias", "open_run"],
)
def test_an_mlflow_that_breaks_off_is_reported_as_such(
    mlflow_settings: Settings, tmp_path: Path, ask: Callable[[Settings], object]
) -> None:
    mlflow_client.connect(mlflow_settings)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        for table in ("runs", "registered_models", "model_versions", "model_version_tags"):
            connection.execute(f"DROP TABLE {table}")

    with pytest.raises(StoreError, match=r"MLflow's database .* cannot be opened"):
        ask(mlflow_settings)
