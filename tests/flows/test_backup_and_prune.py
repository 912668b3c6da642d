import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copy, copytree, rmtree

import pandas as pd
import pytest
from sqlalchemy import func, select

from flows.backup import KEEP_DAYS, MLFLOW, back_up, last_backup, prune, restore
from flows.context.stores import made_store, store_of
from flows.system_health import examine, status_lines
from flows.training.predict import predict
from store.archive import copy_tables, extract_archive, write_archive
from store.database import insert_row, open_store, sqlite_file, writing
from store.errors import DataError, StoreError
from store.facts.commodities import evidence_digests
from store.facts.reading import read_forecasts
from store.publications.integrity import tampered
from store.schema.database_tables import vintages
from store.settings import Settings
from tests.data.builders import at
from tests.data.registry_builders import champion_model, champion_of
from tests.flows.conftest import AS_OF, LATER, Call, Published, environment, settings_of
from tests.flows.test_upgrade import HOMES


@pytest.fixture(scope="session")
def archive(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the store on which the main job ran."""
    path = tmp_path_factory.mktemp("kept") / "all.tar.gz"
    cut_off = published.settings.publications_dir / "85051110" / ".cut"
    cut_off.mkdir()
    (cut_off / "index.html").touch()
    back_up(published.settings, path)
    rmtree(cut_off)
    return path


def home_in(folder: Path, there: Settings) -> Settings:
    """Return settings under which everything lies below one folder."""
    places = {
        "home": folder,
        "tracking_uri": f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}",
        "artifact_dir": folder / "mlruns" / "artifacts",
    }
    return there.model_copy(update=places)


def changed(archive: Path, folder: Path, database: str, statement: str) -> Path:
    """Return an archive in which a statement changed a database."""
    extract_archive(archive, folder)
    with closing(sqlite3.connect(folder / database)) as connection, connection:
        connection.execute(statement)
    return packed(folder)


def packed(folder: Path) -> Path:
    files = {f.relative_to(folder).as_posix(): f for f in folder.rglob("*") if f.is_file()}
    write_archive(folder.with_suffix(".tar.gz"), files)
    return folder.with_suffix(".tar.gz")


@pytest.mark.slow
def test_what_was_restored_is_what_was_backed_up(
    published: Published, archive: Path, tmp_path: Path
) -> None:
    there, here = published.settings, home_in(tmp_path / "home", published.settings)

    manifest = restore(here, archive)

    assert manifest["as_of"] == at(AS_OF).isoformat()
    engines = [store_of(settings) for settings in (there, here)]
    pd.testing.assert_frame_equal(*(read_forecasts(engine) for engine in engines))
    assert evidence_digests(engines[0]).digest == evidence_digests(engines[1]).digest
    for name in ("artifact_dir", "publications_dir"):
        first, second = (getattr(settings, name) for settings in (there, here))
        kept = {f.relative_to(first): f.read_bytes() for f in first.rglob("*") if f.is_file()}
        assert kept
        assert kept.keys() == {f.relative_to(second) for f in second.rglob("*") if f.is_file()}
        assert all((second / file).read_bytes() == content for file, content in kept.items())
    assert champion_of(here) == champion_of(there)
    assert dict(champion_model(here).metadata) == dict(champion_model(there).metadata)
    pd.testing.assert_frame_equal(predict(here, at(AS_OF)), predict(there, at(AS_OF)))
    (sqlite_file(here.tracking_uri) or Path()).unlink()
    alarms = {one.name: str(one.words) for one in examine(here, at(AS_OF)).alarms}
    assert alarms["champion"] == "MLflow names no champion; version 1 was the last."


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE model_versions SET storage_location = 'file:///etc'", "names file:///etc in"),
        ("UPDATE model_versions SET source = 'http://example.org/m'", "names http://example.org/m"),
        ("UPDATE model_versions SET source = source || '/%2e%2E/m'", "/%2e%2E/m in model_versions"),
    ],
)
def test_files_outside_the_home_are_refused(
    published: Published, archive: Path, tmp_path: Path, statement: str, message: str
) -> None:
    here = home_in(tmp_path / "home", published.settings)

    with pytest.raises(StoreError, match=message):
        restore(here, changed(archive, tmp_path / "out", MLFLOW, statement))
    assert not here.home.exists()


def test_a_database_of_another_schema_is_refused(
    published: Published, archive: Path, tmp_path: Path
) -> None:
    here = home_in(tmp_path / "home", published.settings)
    statement = "UPDATE schema_version SET version_num = '9999'"

    with pytest.raises(StoreError, match="its schema is 9999"):
        restore(here, changed(archive, tmp_path / "out", "magnetcast.db", statement))
    (tmp_path / "out" / "magnetcast.db").write_bytes(b"")
    with pytest.raises(StoreError, match=r"magnetcast\.db is empty"):
        restore(here, packed(tmp_path / "out"))
    assert not here.home.exists()


def test_nothing_is_restored_where_anything_is(
    published: Published, archive: Path, tmp_path: Path
) -> None:
    here = home_in(tmp_path / "home", published.settings)
    (here.publications_dir / "85051110" / ".cut").mkdir(parents=True)  # of a killed run
    made_store(here)

    with pytest.raises(DataError, match="Expected an empty home"):
        restore(here, archive)
    assert read_forecasts(store_of(here)).empty


@pytest.mark.slow
def test_the_first_verb_in_a_copied_home_backs_it_up_and_removes_what_a_killed_one_left(
    published: Published, magnetcast: Call, tmp_path: Path
) -> None:
    there = published.settings
    here = home_in(tmp_path / "here", there)
    copytree(there.home, here.home)
    copytree(there.artifact_dir, here.artifact_dir, dirs_exist_ok=True)
    copy(sqlite_file(there.tracking_uri) or "", here.home / "mlruns" / "mlflow.db")
    left = here.home / ".backup-killed", here.backups_dir / ".magnetcast-1.tar.gz.part"
    left[0].mkdir()
    here.backups_dir.mkdir(exist_ok=True)
    left[1].touch()
    path, again = tmp_path / "all.tar.gz", home_in(tmp_path / "again", there)

    code, _, err = magnetcast("backup", str(path), "--home", str(here.home))

    assert code == 0, err
    assert not any(file.exists() for file in left)
    assert last_backup(here) is not None
    code, _, err = magnetcast("restore", str(path), "--home", str(again.home))
    assert code == 0, err
    assert dict(champion_model(again).metadata) == dict(champion_model(there).metadata)
    path.unlink()
    assert last_backup(here) is None


def test_a_home_goes_to_another_database_and_back_as_it_was(
    data_dir: Path, empty_url: str, magnetcast: Call, tmp_path: Path
) -> None:
    here = settings_of(environment(tmp_path, data_dir))
    restore(here, HOMES / "0.1.0.tar.gz")
    there = here.model_copy(update={"database_url": empty_url})
    back = f"sqlite:///{tmp_path / 'back.db'}"

    code, _, err = magnetcast("home", "copy", "--to", empty_url, "--home", str(here.home))
    copy_tables(store_of(there), back)

    assert code == 0, err
    assert "copy      publications: 1 row" in err
    status = []
    for settings in (here, there):
        assert tampered(store_of(settings), settings.publications_dir) == ()
        status.append(
            [line for line in status_lines(examine(settings, at(LATER))) if "disk" not in line]
        )
    assert status[0] == status[1]
    dumps = (sqlite3.connect(str(sqlite_file(url))).iterdump() for url in (here.url, back))
    assert len({"\n".join(sorted(dump)) for dump in dumps}) == 1
    with pytest.raises(DataError, match=r"has rows in analog_events\..*nothing was copied"):
        copy_tables(store_of(here), empty_url)
    with writing(store_of(there)) as connection:  # numbers go on after the last
        last = connection.scalar(select(func.max(vintages.c.id)))
        assert insert_row(connection, vintages, {"source": "more", "rows": 0}) == last + 1


LOSSY = {
    "sqlite": "CREATE TRIGGER t AFTER INSERT ON vintages BEGIN UPDATE vintages SET rows = 9; END",
    "postgresql": "CREATE RULE r AS ON INSERT TO vintages WHERE NEW.id = 2 DO INSTEAD NOTHING",
}
"""A database that changes what it is given."""


def test_a_copy_that_differs_is_undone(store_url: str, published: Published) -> None:
    engine = open_store(store_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(LOSSY[engine.name])

    with pytest.raises(StoreError, match=r"vintages: \d+ rows (\w+), \d+ rows (?!\1).*nothing was"):
        copy_tables(store_of(published.settings), store_url)

    assert read_forecasts(engine).empty
    engine.dispose()


def test_old_answers_go_and_young_ones_stay(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "var")
    made_store(settings)
    cache = settings.http_cache_dir
    cache.mkdir(parents=True)
    for name, sha, age in [("a", "1", 9), ("b", "2", 9), ("c", "2", 1)]:
        note, body = cache / f"{name}.json", cache / f"{sha}.body"
        note.write_text(json.dumps({"sha256": sha}))
        body.write_text("answer")
        days = (at("2026-11-25") - pd.Timedelta(days=age)).timestamp()
        os.utime(note, (days, days))
        os.utime(body, (days, days))
    now = at("2026-11-20") + pd.Timedelta(days=KEEP_DAYS)

    shown, _ = prune(settings, now, dry_run=True)
    kept = sorted(file.name for file in cache.iterdir())
    prune(settings, now)

    assert [file.name for file in shown] == ["1.body", "a.json", "b.json"]
    assert kept == ["1.body", "2.body", "a.json", "b.json", "c.json"]
    assert sorted(file.name for file in cache.iterdir()) == ["2.body", "c.json"]
