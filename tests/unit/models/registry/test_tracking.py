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
from matplotlib.figure import Figure
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from models.registry import mlflow_client, registry, tracking
from store.errors import StoreError
from store.settings import PROJECT_ROOT, Settings

OPEN = """
import sys
from models.registry.tracking import connect
from store.settings import PROJECT_ROOT, Settings
connect(Settings(home=sys.argv[1], tracking_uri=sys.argv[2], artifact_dir=sys.argv[3]))
"""

TAGS = {"as_of": "2026-02-25", "data_vintage": "abc", "flow": "train"}


def stored(settings: Settings, run_id: str) -> mlflow.entities.Run:
    client, _ = mlflow_client.connect(settings)
    return client.get_run(run_id)


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


def test_experiment_keeps_its_artifacts_in_the_artifact_folder(
    mlflow_template: Path, tmp_path: Path
) -> None:
    database = shutil.copy(mlflow_template / "mlflow.db", tmp_path)
    settings = Settings(
        home=tmp_path / "var",
        tracking_uri=f"sqlite:///{database}",
        artifact_dir=tmp_path / "elsewhere",
    )

    client, experiment_id = mlflow_client.connect(settings)

    assert client.get_experiment(experiment_id).name == "magnetcast"
    expected = (mlflow_template / "artifacts").as_uri()
    assert client.get_experiment(experiment_id).artifact_location == expected


def test_a_run_keeps_params_metrics_and_tags(mlflow_settings: Settings) -> None:
    with tracking.open_run(mlflow_settings, name="train", tags=TAGS) as run:
        run.params({f"choice_{number}": number for number in range(130)})
        run.metrics({"wql": 0.25}, step=0)
        run.metrics({"wql": 0.125, "coverage": float("nan")}, step=1)

    found = stored(mlflow_settings, run.run_id)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "train"
    assert len(found.data.params) == 130
    assert found.data.metrics["wql"] == 0.125
    assert {name: found.data.tags[name] for name in TAGS} == TAGS


def test_a_run_keeps_tables_figures_and_texts(mlflow_settings: Settings) -> None:
    frame = pd.DataFrame({"destination": ["DEU", "USA"], "p50": [1.1, 0.30000000000000004]})

    with tracking.open_run(mlflow_settings, name="backtest", tags=TAGS) as run:
        run.table(frame, "scores.csv")
        run.figure(Figure(), "fan.png")
        run.text("Grüße\n", "notes/why.md")

    folder = mlflow_settings.artifact_dir / run.run_id / "artifacts"
    expected = "destination,p50\nDEU,1.1\nUSA,0.30000000000000004\n"
    assert (folder / "scores.csv").read_text(encoding="utf-8") == expected
    assert (folder / "fan.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "notes" / "why.md").read_text(encoding="utf-8") == "Grüße\n"


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
        tracking.open_run(mlflow_settings, name="train", tags=TAGS) as run,
    ):
        raise error

    found = stored(mlflow_settings, run.run_id)
    assert found.info.status == status
    assert found.data.tags["error"] == f"{type(error).__name__}: no rows"
    assert tracking.find_run(mlflow_settings, TAGS) is None


def test_a_part_names_the_run_it_belongs_to(mlflow_settings: Settings) -> None:
    with (
        tracking.open_run(mlflow_settings, name="backtest", tags=TAGS) as whole,
        tracking.open_run(mlflow_settings, name="fold", tags={}, parent=whole.run_id) as part,
    ):
        pass

    assert stored(mlflow_settings, part.run_id).data.tags[MLFLOW_PARENT_RUN_ID] == whole.run_id


def test_the_newest_run_with_all_tags_is_found(mlflow_settings: Settings) -> None:
    runs = []
    for tags in (TAGS, TAGS, {**TAGS, "flow": "backtest"}):
        with tracking.open_run(mlflow_settings, name="train", tags=tags) as run:
            runs.append(run.run_id)
        time.sleep(0.005)  # MLflow orders runs by the millisecond

    assert tracking.find_run(mlflow_settings, TAGS) == runs[1]
    assert tracking.find_run(mlflow_settings, {**TAGS, "as_of": "2026-01-01"}) is None


def test_tags_with_one_kind_of_quotes_are_found(mlflow_settings: Settings) -> None:
    with tracking.open_run(mlflow_settings, name="x", tags={"note": "what's"}) as run:
        pass

    assert tracking.find_run(mlflow_settings, {"note": "what's"}) == run.run_id
    with pytest.raises(ValueError, match="both kinds of quotes"):
        tracking.find_run(mlflow_settings, {"note": '"what\'s"'})


def test_looking_for_a_run_makes_no_database(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "var", tracking_uri=f"sqlite:///{tmp_path}/m/mlflow.db")

    assert tracking.find_run(settings, TAGS) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("sqlite:///nowhere/mlflow.db", False),
        ("postgresql://db.example/mlflow", True),
        ("https://mlflow.example", True),
    ],
    ids=["absent-file", "postgresql", "server"],
)
def test_only_an_absent_file_is_sure_to_hold_nothing(address: str, *, kept: bool) -> None:
    assert mlflow_client.is_kept(Settings(tracking_uri=address)) is kept


def test_a_relative_address_means_the_current_folder_even_after_it_changes(
    mlflow_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    relative = mlflow_settings.model_copy(update={"tracking_uri": "sqlite:///mlruns/mlflow.db"})
    monkeypatch.chdir(tmp_path)
    with tracking.open_run(relative, name="train", tags=TAGS) as run:
        monkeypatch.chdir("/")
        run.metrics({"wql": 1.0})

    assert tracking.find_run(mlflow_settings, TAGS) == run.run_id
    assert tracking.find_run(relative, TAGS) is None


def test_nothing_is_printed_and_the_process_wide_database_stays(
    mlflow_settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    before = mlflow.get_tracking_uri()

    with tracking.open_run(mlflow_settings, name="train", tags=TAGS):
        assert mlflow.active_run() is None

    assert mlflow.get_tracking_uri() == before
    assert capfd.readouterr() == ("", "")


def test_a_deleted_experiment_is_reported_with_its_remedy(mlflow_settings: Settings) -> None:
    client, experiment_id = mlflow_client.connect(mlflow_settings)
    client.delete_experiment(experiment_id)

    with pytest.raises(StoreError, match=rf"deleted\. .*restore --experiment-id {experiment_id}"):
        mlflow_client.connect(mlflow_settings)


def test_waiting_for_another_process_ends(mlflow_settings: Settings, tmp_path: Path) -> None:
    hurried = mlflow_settings.model_copy(update={"lock_timeout_s": 0.01})

    with (
        FileLock(tmp_path / "mlruns" / "mlflow.db.lock"),
        pytest.raises(StoreError, match="opened by another process"),
    ):
        mlflow_client.connect(hurried)


def test_what_mlflow_cannot_keep_is_reported_as_such(
    mlflow_settings: Settings, tmp_path: Path
) -> None:
    def lose() -> None:
        with tracking.open_run(mlflow_settings, name="train", tags=TAGS) as run:
            with closing(sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")) as connection:
                connection.execute("DROP TABLE metrics")
            run.metrics({"wql": 1.0})

    with pytest.raises(StoreError, match=r"MLflow's database .* cannot be opened"):
        lose()


@pytest.mark.parametrize(
    "ask",
    [
        lambda settings: tracking.find_run(settings, {"flow": "train"}),
        registry.champion,
        lambda settings: registry.promote(settings, 1),
        lambda settings: registry.note(settings, 1, {"decision": "promoted"}),
    ],
    ids=["find_run", "champion", "promote", "note"],
)
def test_an_mlflow_that_breaks_off_after_it_was_opened_is_reported_as_such(
    mlflow_settings: Settings, tmp_path: Path, ask: Callable[[Settings], object]
) -> None:
    mlflow_client.connect(mlflow_settings)
    with closing(sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")) as connection:
        for table in ("runs", "registered_models", "model_versions", "model_version_tags"):
            connection.execute(f"DROP TABLE {table}")

    with pytest.raises(StoreError, match=r"MLflow's database .* cannot be opened"):
        ask(mlflow_settings)
