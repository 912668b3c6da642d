import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import lightgbm as lgb
import pandas as pd
import pytest
from mlflow import MlflowClient
from sqlalchemy import Engine

from models import quantile_model
from models.registry import model_registry, runs
from models.registry.champions import read_champions
from models.registry.stored_model import MODEL, check_rows, verify
from store.database import open_store
from store.errors import StoreError
from store.publications.publication_rows import write_promotions
from store.settings import Settings
from tests.helpers import ended
from tests.unit.models.conftest import keep_model

Register = Callable[..., int]

WITHOUT_PROJECT = """
import sys
ROOMS = {"store", "sources", "features", "models", "service", "flows"}
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ROOMS:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Wall())
try:
    import models
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("the project can be imported")
import mlflow.pyfunc
import pandas as pd
rows = pd.read_parquet(sys.argv[2])
mlflow.pyfunc.load_model(sys.argv[1]).predict(rows).to_parquet(sys.argv[3])
"""


@pytest.fixture
def expected(
    mlflow_boosters: Mapping[str, str],
    mlflow_metadata: Mapping[str, object],
    mlflow_rows: pd.DataFrame,
) -> pd.DataFrame:
    boosters = {name: lgb.Booster(model_str=text) for name, text in mlflow_boosters.items()}
    return quantile_model.predict_quantiles(boosters, mlflow_metadata, mlflow_rows)


@pytest.fixture
def register(
    mlflow_settings: Settings,
    mlflow_boosters: Mapping[str, str],
    mlflow_metadata: Mapping[str, object],
    mlflow_rows: pd.DataFrame,
) -> Register:
    """Register a sound model; returns its version."""

    def registered(*, example: pd.DataFrame = mlflow_rows, **tags: str) -> int:
        return keep_model(mlflow_settings, mlflow_boosters, mlflow_metadata, example, **tags)

    return registered


@pytest.fixture
def engine(mlflow_settings: Settings) -> Iterator[Engine]:
    opened = open_store(mlflow_settings.url)
    yield opened
    opened.dispose()


def aliases(settings: Settings) -> dict[str, int]:
    model = MlflowClient(settings.tracking_uri).get_registered_model(MODEL)
    return {name: int(version) for name, version in model.aliases.items()}


def test_a_stored_model_predicts_exactly_what_training_predicts(
    mlflow_stored: Settings, mlflow_rows: pd.DataFrame, expected: pd.DataFrame
) -> None:
    model = model_registry.load(mlflow_stored, 1)
    found = quantile_model.predict_quantiles(model.boosters, model.metadata, mlflow_rows)

    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.slow
def test_a_process_without_the_project_predicts_the_same(
    mlflow_stored_folder: Path, mlflow_rows: pd.DataFrame, expected: pd.DataFrame, tmp_path: Path
) -> None:
    rows = mlflow_rows.drop(columns="destination").astype(float)
    rows.to_parquet(tmp_path / "rows.parquet")

    files = [str(mlflow_stored_folder), "rows.parquet", "forecast.parquet"]
    done = ended("-I", "-c", WITHOUT_PROJECT, *files, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    found = pd.read_parquet(tmp_path / "forecast.parquet")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_nothing_in_a_stored_model_is_a_pickle(mlflow_stored_folder: Path) -> None:
    files = {
        path.relative_to(mlflow_stored_folder).as_posix()
        for path in mlflow_stored_folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }

    assert {
        "served_model.py",
        *(
            f"artifacts/model/{name}"
            for name in ("metadata.json", "p10.txt", "p50.txt", "p90.txt", "quantile_model.py")
        ),
    } < files
    assert {Path(name).suffix for name in files} == {"", ".json", ".py", ".txt", ".yaml"}


def test_a_model_that_cannot_be_stored_becomes_no_version(
    register: Register, mlflow_settings: Settings, mlflow_rows: pd.DataFrame
) -> None:
    with pytest.raises(ValueError, match="tariff_rate_pct"):
        register(example=mlflow_rows.drop(columns="tariff_rate_pct"))

    client, _ = runs.connect(mlflow_settings)
    assert list(client.search_registered_models()) == []


def test_boosters_or_metadata_changed_after_training_are_refused(
    register: Register, mlflow_settings: Settings
) -> None:
    version = register()
    champion = model_registry.at_version(mlflow_settings, version)
    for name in ("p50.txt", "metadata.json"):
        [file] = mlflow_settings.artifact_dir.rglob(name)
        text = file.read_text(encoding="utf-8")
        file.write_text(text[:-9], encoding="utf-8")

        for read in (
            partial(model_registry.load, mlflow_settings, version),
            partial(verify, mlflow_settings, champion),
        ):
            with pytest.raises(StoreError, match="its boosters and metadata have SHA-256"):
                read()
        file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 0}, "rows of schema 0, not 2"),
        ({"meanings": "old"}, "features had other meanings .old"),
        ({"features": ["tonnes_lag_9m"]}, "features that are no more: tonnes_lag_9m"),
        ({"features": ["swift_distance"], "unit": "scales"}, "are no more: swift_distance"),
    ],
)
def test_metadata_of_other_rows_are_refused_as_of_another_version_before_lightgbm_is_loaded(
    mlflow_metadata: Mapping[str, object], change: Mapping[str, object], message: str
) -> None:
    texts = {quantile_model.METADATA: json.dumps({**mlflow_metadata, **change})}

    with pytest.raises(StoreError, match=f"{message}.*no file is damaged"):
        check_rows(texts, 1)


def test_code_in_a_stored_model_is_not_executed_whatever_its_digest(
    register: Register, mlflow_settings: Settings, mlflow_rows: pd.DataFrame, expected: pd.DataFrame
) -> None:
    version = register()
    ran = mlflow_settings.artifact_dir.parent / "ran"
    for name in ("served_model.py", "quantile_model.py"):
        [script] = mlflow_settings.artifact_dir.rglob(name)
        script.write_text(f"__import__('pathlib').Path({str(ran)!r}).touch()\n{script.read_text()}")
    (script.parent / "python_model.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")

    model = model_registry.load(mlflow_settings, version)

    found = quantile_model.predict_quantiles(model.boosters, model.metadata, mlflow_rows)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert not ran.exists()


def promoted(settings: Settings, engine: Engine, version: int) -> None:
    """Promote a version as a run does."""
    champions = read_champions(settings, engine, MODEL)
    entry = model_registry.at_version(settings, version)
    write_promotions(engine, MODEL, champions.with_champion(entry))
    model_registry.set_alias(settings, "champion", version)


def in_force(settings: Settings, engine: Engine) -> list[int]:
    return [each.version for each in read_champions(settings, engine, MODEL).in_force]


def test_the_alias_says_who_is_champion_and_the_store_who_was_before(
    register: Register, mlflow_settings: Settings, engine: Engine
) -> None:
    assert in_force(mlflow_settings, engine) == []
    for facts in ("may", "june", "july"):
        number = register(data_vintage=facts)
        for _ in range(2):  # a champion again is no step
            promoted(mlflow_settings, engine, number)
    assert in_force(mlflow_settings, engine) == [1, 2, 3]
    verify(mlflow_settings, read_champions(mlflow_settings, engine, MODEL).champion)

    model_registry.set_alias(mlflow_settings, "champion", 2)  # by hand
    assert in_force(mlflow_settings, engine) == [1, 2]
    promoted(mlflow_settings, engine, 1)
    assert in_force(mlflow_settings, engine) == [2, 1]

    MlflowClient(mlflow_settings.tracking_uri).delete_model_version(MODEL, "1")
    champions = read_champions(mlflow_settings, engine, MODEL)
    assert (champions.champion, champions.lost) == (None, 1)


def test_a_promotion_that_is_killed_before_its_one_call_did_not_happen(
    register: Register, mlflow_settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (register(data_vintage=facts) for facts in ("may", "june"))
    promoted(mlflow_settings, engine, first)
    before = read_champions(mlflow_settings, engine, MODEL)

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "set_registered_model_alias", killed)
        with pytest.raises(KeyboardInterrupt):
            promoted(mlflow_settings, engine, second)
    after = read_champions(mlflow_settings, engine, MODEL)

    assert (after.champion, after.in_force) == (before.champion, before.in_force)
    promoted(mlflow_settings, engine, second)
    assert in_force(mlflow_settings, engine) == [first, second]


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_mlflow_server_names_the_same_champion_as_its_file(
    register: Register, mlflow_settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(mlflow_settings, engine, register())
    model_registry.set_alias(mlflow_settings, "challenger", register(data_vintage="june"))
    champions = read_champions(mlflow_settings, engine, MODEL)

    monkeypatch.setattr("models.registry.champions.record_file", lambda _: None)

    assert read_champions(mlflow_settings, engine, MODEL) == champions
    assert (champions.champion.version, champions.challenger.version) == (1, 2)


def test_the_same_model_from_the_same_facts_is_no_new_version(
    register: Register, mlflow_settings: Settings
) -> None:
    versions = [register(), register(model_version="m2"), register(data_vintage="later facts")]

    assert versions == [1, 1, 2]
    assert [one.version for one in model_registry.versions(mlflow_settings)] == [1, 2]
