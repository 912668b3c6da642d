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
from models.registry.stored_model import MODEL, check_rows, verify
from store.database import open_store
from store.errors import StoreError
from store.publications.publication_rows import read_champions, write_champions
from store.settings import Settings
from tests.helpers import ended
from tests.unit.models.conftest import TAGS, keep_model

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


@pytest.mark.slow
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


@pytest.mark.slow
def test_aliases_follow_the_champions_of_the_store(
    register: Register, mlflow_settings: Settings, engine: Engine
) -> None:
    for facts in ("may", "june", "july"):
        version = model_registry.at_version(mlflow_settings, register(data_vintage=facts))
        model_registry.nominate(mlflow_settings, version.version)
        for _ in range(2):  # a champion again is no step
            write_champions(engine, MODEL, read_champions(engine, MODEL).with_champion(version))
    model_registry.follow_store(mlflow_settings, engine)
    assert aliases(mlflow_settings) == {"champion": 3, "previous": 2}

    champions = read_champions(engine, MODEL).without_champion("worse")
    write_champions(engine, MODEL, champions.without_champion("bands too narrow"))
    MlflowClient(mlflow_settings.tracking_uri).set_registered_model_alias(MODEL, "champion", "2")
    model_registry.follow_store(mlflow_settings, engine)

    assert aliases(mlflow_settings) == {"champion": 1}
    champion = read_champions(engine, MODEL).champion
    verify(mlflow_settings, champion)
    reasons = [version.rolled_back for version in model_registry.versions(mlflow_settings)]
    assert reasons == ["", "bands too narrow", "worse"]

    MlflowClient(mlflow_settings.tracking_uri).delete_model_version(MODEL, "1")
    assert not model_registry.follow_store(mlflow_settings, engine), "it has lost the champion"


@pytest.mark.slow
def test_what_an_older_version_kept_in_tags_of_mlflow_is_carried_over_once(
    register: Register, mlflow_settings: Settings, engine: Engine
) -> None:
    registered = [register(data_vintage=facts) for facts in ("may", "june", "july")]
    client, rule = MlflowClient(mlflow_settings.tracking_uri), {"rule": "experts", "reason": "lost"}
    rule["as_of"] = TAGS["as_of"]
    client.set_registered_model_tag(MODEL, "champions", json.dumps([2, 1]))
    client.set_registered_model_tag(MODEL, "simple_rule", json.dumps(rule))
    client.set_registered_model_alias(MODEL, "champion", "1")
    client.set_model_version_tag(MODEL, "3", "rolled_back", "worse")

    model_registry.follow_store(mlflow_settings, engine)
    champions = read_champions(engine, MODEL)
    client.set_registered_model_alias(MODEL, "champion", "3")
    model_registry.follow_store(mlflow_settings, engine)

    assert registered == [1, 2, 3]
    assert [version.version for version in champions.in_force] == [2, 1]
    assert [version.rolled_back for version in champions.rolled_back] == ["worse"]
    assert champions.rule == rule
    assert read_champions(engine, MODEL) == champions
    assert aliases(mlflow_settings) == {"champion": 1, "previous": 2}
    assert client.get_registered_model(MODEL).tags == {}


@pytest.mark.slow
def test_the_same_model_from_the_same_facts_is_no_new_version(
    register: Register, mlflow_settings: Settings
) -> None:
    versions = [register(), register(model_version="m2"), register(data_vintage="later facts")]

    assert versions == [1, 1, 2]
    assert [one.version for one in model_registry.versions(mlflow_settings)] == [1, 2]
