import hashlib
import io
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from alembic import command
from mlflow import MlflowClient

from flows.backup.backup import back_up, last_backup
from flows.backup.restore import restore, settings_into
from flows.clock import utc_now
from flows.context.stores import JOURNAL, made_store, store_of
from flows.monitoring.health import examine
from flows.panels.backtest_files import predict_evidence
from flows.run import run
from models.registry import registry
from store.archive.archive_file import extract_archive
from store.archive.database_copies import copy_database
from store.database import migration_config, open_store, writing
from store.errors import DataError, StoreError
from store.facts.evidence import data_vintage
from store.facts.reading import read_forecasts
from store.planning.audit import create_token
from store.settings import Settings
from store.sqlite_files import sqlite_file
from tests.data.builders import at
from tests.data.registry_builders import champion_model
from tests.flows.conftest import AS_OF, Published

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def archive(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the store on which the main job ran."""
    path = tmp_path_factory.mktemp("kept") / "all.tar.zst"
    back_up(published.settings, path)
    return path


def hashes(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.slow
def test_what_was_restored_is_what_was_backed_up(
    published: Published, archive: Path, tmp_path: Path
) -> None:
    there = published.settings
    here = settings_into(there, tmp_path / "home")

    manifest = restore(here, archive)

    now = copy_database(here.url, tmp_path / "copy")
    assert now.rows == manifest["database"]["rows"]
    assert now.rows["forecasts"] == len(published.outcome.forecasts) > 0
    engines = [store_of(settings) for settings in (there, here)]
    frames = [read_forecasts(engine) for engine in engines]
    pd.testing.assert_frame_equal(*frames)
    assert data_vintage(engines[0]) == data_vintage(engines[1])
    for folder in ("artifact_dir", "reports_dir"):
        assert hashes(getattr(here, folder)) == hashes(getattr(there, folder)) != {}
    leftover = [file.name for file in (tmp_path / "home").iterdir() if "restor" in file.name]
    assert leftover == []


@pytest.mark.slow
def test_the_restored_champion_and_forecast_are_the_same(
    published: Published, archive: Path, tmp_path: Path
) -> None:
    there = published.settings
    here = settings_into(there, tmp_path / "home")
    restore(here, archive)

    made = predict_evidence(here, at(AS_OF))
    again = run(here, at(AS_OF))

    pd.testing.assert_frame_equal(made, predict_evidence(there, at(AS_OF)))
    assert not again.is_new
    assert registry.champion(here) == registry.champion(there)
    assert dict(champion_model(here).card) == dict(champion_model(there).card)


def copied_by_hand(published: Published, folder: Path) -> Settings:
    """A home copied without a word to MLflow, whose database names the files of the first."""
    there = published.settings
    here = settings_into(there, folder)
    shutil.copytree(there.home, here.home)
    shutil.copytree(there.artifact_dir, here.artifact_dir)
    shutil.copy(sqlite_file(there.tracking_uri) or "", sqlite_file(here.tracking_uri) or "")
    return here


@pytest.mark.slow
def test_models_named_elsewhere_are_restored_from_the_archive(
    published: Published, tmp_path: Path
) -> None:
    back_up(copied_by_hand(published, tmp_path / "copy"), tmp_path / "a.tar.gz")
    here = settings_into(published.settings, tmp_path / "home")

    restore(here, tmp_path / "a.tar.gz")

    version = registry.champion(here)
    assert version is not None
    source = MlflowClient(here.tracking_uri, here.tracking_uri).get_model_version(
        registry.MODEL, str(version.version)
    ).source  # fmt: skip
    assert str(source).startswith(here.artifact_dir.as_uri())


@pytest.mark.slow
def test_a_lost_record_of_models_is_reported_as_lost(
    archive: Path, tmp_path: Path, published: Published
) -> None:
    here = settings_into(published.settings, tmp_path / "home")
    restore(here, archive)
    (sqlite_file(here.tracking_uri) or Path()).unlink()

    alarms = {one.alarm: one.message for one in examine(here, at(AS_OF)).alarms}

    assert "mlflow.db is gone" in alarms["champion"]


@pytest.mark.slow
def test_restoring_an_older_archive_leaves_no_alarm_about_the_audit_trail(
    archive: Path, tmp_path: Path, published: Published
) -> None:
    here = settings_into(published.settings, tmp_path / "home")
    restore(here, archive)
    create_token(store_of(here), name="n", scopes=["read"], at=utc_now())
    back_up(here, tmp_path / "newer.tar.gz")

    restore(here, archive, force=True)

    assert "tampered" not in {one.alarm for one in examine(here, at(AS_OF)).alarms}


def test_no_secret_is_in_an_archive(
    published: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGNETCAST_COMTRADE_KEY", "hunter2-key")
    values = published.settings.model_dump()
    settings = Settings.model_validate({**values, "comtrade_key": "hunter2-key"})

    back_up(settings, tmp_path / "all.tar.gz")
    extract_archive(tmp_path / "all.tar.gz", tmp_path / "out")

    assert "hunter2" not in (tmp_path / "out" / "settings.json").read_text()
    output = json.loads((tmp_path / "out" / "settings.json").read_text())
    assert "comtrade_key" not in output
    assert output["tracking_uri"] == settings.tracking_uri


def test_a_tampered_archive_is_refused_and_the_home_stays(archive: Path, tmp_path: Path) -> None:
    extract_archive(archive, tmp_path / "out")
    forged = tmp_path / "forged.tar.gz"
    manifest = json.dumps(manifest_of(archive, tmp_path / "more")).encode()
    with tarfile.open(forged, "w:gz", format=tarfile.GNU_FORMAT) as tar:
        for name, content in {"manifest.json": manifest, **contents(tmp_path / "out")}.items():
            header = tarfile.TarInfo(name)
            changed = content.replace(b"tree", b"TREE") if name.endswith("p50.txt") else content
            header.size = len(changed)
            tar.addfile(header, io.BytesIO(changed))
    home = settings_into(Settings(), tmp_path / "home")

    with pytest.raises(DataError, match=r"p50\.txt was changed"):
        restore(home, forged)
    assert not home.home.exists()


def contents(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def manifest_of(archive: Path, folder: Path) -> dict[str, object]:
    return dict(extract_archive(archive, folder))


@pytest.mark.slow
def test_what_stays_there_is_replaced_only_when_forced(
    published: Published, archive: Path, tmp_path: Path
) -> None:
    here = settings_into(published.settings, tmp_path / "home")
    open_store(here.url).dispose()
    (here.reports_dir / "2019-01-01").mkdir(parents=True)

    with pytest.raises(DataError, match="--force"):
        restore(here, archive)
    assert len(read_forecasts(store_of(here))) == 0
    restore(here, archive, force=True)

    assert len(read_forecasts(store_of(here))) > 0
    assert not (here.reports_dir / "2019-01-01").exists()


@pytest.mark.slow
def test_an_older_schema_is_migrated_before_it_is_put_in_place(
    published: Published, tmp_path: Path
) -> None:
    old = settings_into(published.settings, tmp_path / "old")
    engine = made_store(old)
    with writing(engine) as connection:
        command.downgrade(migration_config(connection), "0001")
    engine.dispose()
    path = tmp_path / "old.tar.gz"
    with closing(sqlite3.connect(tmp_path / "old" / "magnetcast.db")) as connection_:
        (revision,) = connection_.execute("SELECT version_num FROM alembic_version").fetchone()
    copied = old_archive(old, path)
    here = settings_into(published.settings, tmp_path / "here")

    restore(here, path)

    assert copied == revision == "0001"
    assert copy_database(here.url, tmp_path / "copy").revision > "0001"


def old_archive(settings: Settings, path: Path) -> str:
    """Back up as a release that knew no newer schema would have."""
    from store.archive import archive_file  # noqa: PLC0415 - only here

    folder = settings.home / "staged"
    folder.mkdir()
    copy = copy_database(settings.url, folder / "database")
    result = {"kind": copy.kind, "revision": copy.revision, "rows": dict(copy.rows)}
    about = {"database": result, "mlflow": None, "artifact_root": "file:///old"}
    archive_file.write_archive(path, {"database": folder / "database"}, about)
    return copy.revision


def test_a_newer_schema_is_refused(published: Published, tmp_path: Path) -> None:
    newer = settings_into(published.settings, tmp_path / "newer")
    with writing(made_store(newer)) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    old_archive(newer, tmp_path / "newer.tar.gz")
    here = settings_into(published.settings, tmp_path / "here")

    with pytest.raises(StoreError, match="of this or an older release"):
        restore(here, tmp_path / "newer.tar.gz")
    assert [file.name for file in here.home.iterdir()] == ["magnetcast.lock"]


@pytest.mark.slow
def test_a_restore_that_was_cut_off_is_reported_and_undone_by_the_next(
    published: Published, archive: Path, tmp_path: Path
) -> None:
    here = settings_into(published.settings, tmp_path / "home")
    restore(here, archive)
    aside = here.home / ".magnetcast.db.before-restore"
    (here.home / "magnetcast.db").replace(aside)
    (here.home / JOURNAL).write_text(json.dumps({str(here.home / "magnetcast.db"): True}))

    seen = examine(here, at("2026-11-25"))
    with pytest.raises(DataError, match="--force"):
        restore(here, archive)

    assert seen.code == 2
    assert [one.alarm for one in seen.alarms if one.code == 2] == ["restore"]
    assert not aside.exists()
    assert len(read_forecasts(open_store(here.url))) > 0


@pytest.mark.slow
def test_backup_and_restore_say_what_they_did(
    published: Published, magnetcast: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = published.settings
    monkeypatch.setenv("MAGNETCAST_HOME", str(values.home))
    monkeypatch.setenv("MAGNETCAST_TRACKING_URI", values.tracking_uri)
    monkeypatch.setenv("MAGNETCAST_ARTIFACT_DIR", str(values.artifact_dir))
    path, home = tmp_path / "all.tar.zst", tmp_path / "home"

    first = magnetcast("backup", str(path))
    second = magnetcast("restore", str(path), "--into", str(home))

    assert (first[0], second[0]) == (0, 0)
    assert "verified, sha256 " in first[2]
    assert f"export MAGNETCAST_HOME={home}" in second[2]
    made = last_backup(values)
    assert made is not None
    path.unlink()
    assert last_backup(values) is None
