"""Flows as plain functions, stores on which the main job ran to copy, a small bundled world."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from flows.context.stores import store_of
from flows.run import RunOutcome, run
from models.registry import runs
from models.registry.stored_model import move_locations
from store.database import sqlite_file
from store.settings import PROJECT_ROOT, Settings
from tests.data.builders import at, make_levels
from tests.data.store_builders import FIGURE, figures_of, write_csv
from tests.made_once import made_once
from tests.plain_flows import plain_flows
from tests.publication.fixtures import sites_in_english

Call = Callable[..., tuple[int, str, str]]
"""A caller of the command line: exit code, stdout, stderr."""

AS_OF = "2020-04-22"
"""Two days after the world of March was published, so that one month can be scored."""


LATER = "2020-05-22"
"""A release later: the world of April is out."""

COMPARED = ("rows_published", "verdict", "notes", "is_new", "held")
"""What else an outcome tells beside its forecasts."""


@dataclass(frozen=True, slots=True)
class Published:
    """A store on which the main job ran, and what its last run did."""

    folder: Path
    settings: Settings
    outcome: RunOutcome


@pytest.fixture(scope="session", autouse=True)
def _flows_are_functions() -> Iterator[None]:
    """Call flows as functions, but in the tests that ask for ``real_flows`` or ``prefect_api``."""
    with plain_flows():
        yield


@pytest.fixture(scope="module", autouse=True)
def _sites_are_in_english() -> Iterator[None]:
    """Leave out four languages of each site; tests of the site ask that all are written."""
    with sites_in_english():
        yield


@pytest.fixture
def explained() -> None:
    """Let the runs of a test explain what they publish."""


@pytest.fixture(autouse=True)
def _runs_are_not_explained(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leave out what takes half of a run, but where a test asks for ``explained``."""
    if "explained" not in request.fixturenames:
        monkeypatch.setattr("flows.publishing.follow_up.explain_if_possible", lambda _: None)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the bundled tables, the figures replaced by those of a small world."""
    folder = tmp_path_factory.mktemp("facts") / "data"
    shutil.copytree(PROJECT_ROOT / "data", folder)
    changes = figures_of(with_eu27(make_levels(last="2020-09")))
    write_csv(folder / "published_figures.csv", FIGURE, *changes)
    for name in ("rankings.csv", "analog_figures.csv", "hs6_values.csv", "baci_hs6_yearly.csv"):
        table = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
        table.iloc[:0].to_csv(folder / name, index=False)
    return folder


def with_eu27(levels: pd.DataFrame) -> pd.DataFrame:
    """Return levels with EU27's in the place of its rest's, as it is published."""
    inside = levels["destination"].isin(["DEU", "ITA", "EU27_REST"])
    totals = levels.loc[inside].groupby("period_from")["value"].sum()
    rest = levels["destination"] == "EU27_REST"
    return levels.assign(
        destination=levels["destination"].mask(rest, "EU27"),
        value=levels["value"].mask(rest, levels["period_from"].map(totals)),
    )


def environment(folder: Path, data_dir: Path) -> dict[str, str]:
    """Return the variables of a process that keeps all below a folder and draws nothing."""
    return {
        "MAGNETCAST_HOME": str(folder / "var"), "MAGNETCAST_DATA_DIR": str(data_dir),
        "MAGNETCAST_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MAGNETCAST_ARTIFACT_DIR": str(folder / "artifacts"), "MAGNETCAST_THREADS": "1",
        "MAGNETCAST_LOCK_TIMEOUT_S": "300",
    }  # fmt: skip


def settings_of(variables: dict[str, str]) -> Settings:
    """Return the settings that a process with these variables has."""
    ours = {name: value for name, value in variables.items() if name.startswith("MAGNETCAST_")}
    names = {name.removeprefix("MAGNETCAST_").lower(): value for name, value in ours.items()}
    return Settings.model_validate(names)


@pytest.fixture(scope="session")
def new_folder(
    mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path]:
    """Return a maker of folders that hold a migrated, empty MLflow database."""

    return lambda: with_mlflow(mlflow_template, tmp_path_factory.mktemp("place"))


def with_mlflow(template: Path, folder: Path) -> Path:
    """Copy a migrated, empty MLflow database into a folder and return that."""
    (folder / "artifacts").mkdir()
    shutil.copy(template / "mlflow.db", folder / "mlflow.db")
    connection = sqlite3.connect(folder / "mlflow.db")
    with connection:
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE name = ?",
            ((folder / "artifacts").as_uri(), runs.EXPERIMENT),
        )
    connection.close()
    return folder


def ran(folder: Path, data_dir: Path, day: str) -> None:
    """Run the main job in a folder and leave its store as a copier needs it."""
    settings = settings_of(environment(folder, data_dir))
    with sites_in_english():  # also before the first test of a module
        outcome = run(settings, at(day))
    store_of(settings).dispose()
    result = {name: getattr(outcome, name) for name in COMPARED}
    (folder / "outcome.json").write_text(json.dumps(result), encoding="utf-8")
    outcome.forecasts.to_parquet(folder / "outcome.parquet")


def published_in(folder: Path, data_dir: Path) -> Published:
    """Return what ``ran`` left in a folder."""
    output = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
    forecasts = pd.read_parquet(folder / "outcome.parquet")
    outcome = RunOutcome(forecasts=forecasts, site=folder / "var" / "site", **output)
    return Published(folder, settings_of(environment(folder, data_dir)), outcome)


@pytest.fixture(scope="session")
def first_run(
    mlflow_template: Path, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    """A store on which the main job ran once; one for all workers, only copied."""

    def fill(folder: Path) -> None:
        folder.mkdir()
        ran(with_mlflow(mlflow_template, folder), data_dir, AS_OF)

    return published_in(made_once(tmp_path_factory, "first-run", fill), data_dir)


@pytest.fixture(scope="session")
def second_run(
    first_run: Published, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    """A store on which the main job ran again a release later; one for all workers, only copied."""

    def fill(folder: Path) -> None:
        ran(copied(first_run, folder, data_dir).folder, data_dir, LATER)

    return published_in(made_once(tmp_path_factory, "second-run", fill), data_dir)


@pytest.fixture(scope="session")
def published(
    first_run: Published, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    """A store on which the main job ran once; only read, or run again with nothing new."""
    return copied(first_run, tmp_path_factory.mktemp("published") / "place", data_dir)


def copied(there: Published, folder: Path, data_dir: Path) -> Published:
    """Return a copy of a published store in a folder that is not there yet."""
    copied_settings(there.settings, folder, data_dir)
    return published_in(folder, data_dir)


def copied_settings(there: Settings, folder: Path, data_dir: Path) -> Settings:
    """Return the settings of a copy of a store and its models, in a folder not there yet."""
    store_of(there).dispose()
    shutil.copytree(there.home.parent, folder, symlinks=True)
    settings = settings_of(environment(folder, data_dir))
    database = sqlite_file(settings.tracking_uri)
    assert database is not None
    move_locations(database, there.artifact_dir, settings.artifact_dir)
    return settings


@pytest.fixture
def home(
    first_run: Published, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """Return the settings of a home in which the main job ran once."""
    place = copied(first_run, tmp_path / "place", data_dir)
    point_at(place.folder, data_dir, monkeypatch)
    return place.settings


@pytest.fixture
def place(new_folder: Callable[[], Path], data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the environment of this test at a folder of its own."""
    folder = new_folder()
    point_at(folder, data_dir, monkeypatch)
    return folder


def point_at(folder: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the environment of a test at a folder."""
    for name, value in environment(folder, data_dir).items():
        monkeypatch.setenv(name, value)
