"""Everything kept in one archive, of one state though runs go on, and back into an empty home.

A database on PostgreSQL is not in it: ``pg_dump`` and ``pg_restore`` copy it (docs/operations.md).
Here too: deletion of old raw answers of providers.
"""

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import unquote

import pandas as pd

from flows.clock import utc_now
from flows.context.stores import close_stores, single_writer, store_of
from models.registry.stored_model import is_kept
from store.archive import copy_sqlite, extract_archive, sqlite_damage, write_archive
from store.database import open_store, shown_address, sqlite_file
from store.errors import DataError, StoreError, first_few
from store.facts.reading import latest_forecast
from store.settings import Settings

RECORD: Final = "last-backup.json"
"""File below home with the time and place of the last backup."""

MANIFEST: Final = "manifest.json"
DATABASE: Final = "magnetcast.db"
MLFLOW: Final = "mlflow.db"

LOCATIONS: Final = (
    ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("model_versions", "source"),
    ("model_versions", "storage_location"), ("logged_models", "artifact_location"),
)  # fmt: skip
"""Columns of MLflow's database that say where files lie."""

DELETED: Final = "REDACTED-SOURCE-PATH"
"""What MLflow writes there of a deleted version."""


def back_up(settings: Settings, path: Path) -> tuple[str, int]:
    """Copy database, MLflow and reports into one archive; return its SHA-256 and count of files.

    Runs wait until the databases are copied. MLflow's is copied before its files: a run that had
    ended by then has all of them, and files of runs that began later do no harm.

    Args:
        path: The archive, ``.tar.gz``; an older one is replaced when this is complete.
    """
    engine = store_of(settings)
    with TemporaryDirectory(prefix=".backup-", dir=settings.home) as scratch:
        staged = Path(scratch)
        with single_writer(settings):
            now, published = utc_now(), latest_forecast(engine)
            if sqlite_file(settings.url) is not None:
                copy_sqlite(settings.url, staged / DATABASE)
            if is_kept(settings) and sqlite_file(settings.tracking_uri) is not None:
                copy_sqlite(settings.tracking_uri, staged / MLFLOW)
                move_locations(staged / MLFLOW, settings.artifact_dir, settings.artifact_dir)
            about = {
                "created_at": now.isoformat(),
                "as_of": None if published.empty else published["as_of"].max().isoformat(),
                "version": version("magnetcast"),
                "database": shown_address(settings.url),
                "artifact_dir": str(settings.artifact_dir.resolve()),
            }
            (staged / MANIFEST).write_text(json.dumps(about, indent=1), encoding="utf-8")
            files = {file.name: file for file in staged.iterdir()}
            for name, folder in _folders(settings).items():
                files |= {
                    f"{name}/{file.relative_to(folder).as_posix()}": file
                    for file in folder.rglob("*")
                    if file.is_file()
                    and not file.is_symlink()
                    and "/." not in f"/{file.relative_to(folder).as_posix()}"  # of a killed run
                }
            digest = write_archive(path, files)
    record = {"path": str(path.resolve()), "sha256": digest, "created_at": now.isoformat()}
    unfinished = settings.home / f".{RECORD}.part"
    unfinished.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(settings.home / RECORD)
    return digest, len(files)


def restore(settings: Settings, path: Path) -> Mapping[str, Any]:
    """Put everything of an archive of one's own into an empty home, and return its manifest."""
    targets = {DATABASE: sqlite_file(settings.url), MLFLOW: sqlite_file(settings.tracking_uri)}
    targets |= _folders(settings)
    _check_empty(settings, targets)
    is_new = not settings.home.exists()
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with (
            single_writer(settings, is_first=True),
            TemporaryDirectory(prefix=".restoring-", dir=settings.home) as scratch,
        ):
            staged = Path(scratch)
            extract_archive(path, staged)
            manifest = _checked(path, staged, settings)
            # The database comes last: a home without it is not taken for a restored one.
            for name, target in reversed(targets.items()):
                if (staged / name).exists() and target is not None:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(staged / name, target)
    except BaseException:
        if is_new and not (settings.home / DATABASE).exists():
            shutil.rmtree(settings.home, ignore_errors=True)
        raise
    close_stores()
    return manifest


def last_backup(settings: Settings) -> pd.Timestamp | None:
    """Return when the last backup that still lies where it was put was made, or None."""
    try:
        record = json.loads((settings.home / RECORD).read_text(encoding="utf-8"))
        return pd.Timestamp(record["created_at"]) if Path(record["path"]).is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folders(settings: Settings) -> dict[str, Path]:
    return {"artifacts": settings.artifact_dir, "reports": settings.reports_dir}


def _check_empty(settings: Settings, targets: Mapping[str, Path | None]) -> None:
    inside = settings.home.iterdir() if settings.home.is_dir() else ()
    found = [str(file) for file in inside if file.name != settings.lock_path.name]
    found += [
        str(target)
        for target in targets.values()
        if target is not None and (any(target.iterdir()) if target.is_dir() else target.exists())
    ]
    if found:
        raise DataError(
            f"There is something where the backup would go: {first_few(sorted(set(found)))}. "
            "Expected an empty home. Name another with --home FOLDER, or move this one away."
        )


def _checked(path: Path, staged: Path, settings: Settings) -> Mapping[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((staged / MANIFEST).read_text(encoding="utf-8"))
        before = Path(manifest["artifact_dir"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise DataError(
            f"{path} holds no manifest of a backup ({err}). Expected an archive that `magnetcast "
            "backup` wrote. Use another; nothing was restored."
        ) from err
    if (staged / DATABASE).exists() == (sqlite_file(settings.url) is None):
        raise DataError(
            f"The archive is of {manifest.get('database')}, and this home's database is "
            f"{shown_address(settings.url)}. Expected the same kind: SQLite is restored from the "
            "archive, PostgreSQL by pg_restore. Set MAGNETCAST_DATABASE_URL; nothing was restored."
        )
    for name in (DATABASE, MLFLOW):
        if wrong := sqlite_damage(f"sqlite:///{staged / name}"):
            raise StoreError(f"{wrong}. Expected the copy that the backup made. Use another one.")
        if (staged / name).exists():
            (staged / name).chmod(0o600)
    if (staged / DATABASE).exists():
        open_store(f"sqlite:///{staged / DATABASE}").dispose()  # refuses another schema
    if (staged / MLFLOW).exists():
        move_locations(staged / MLFLOW, before, settings.artifact_dir)
    return manifest


def move_locations(file: Path, before: Path, after: Path) -> None:
    """Let MLflow's database name files below the folder of artifacts, and nothing elsewhere."""
    old, new = before.resolve().as_uri(), after.resolve().as_uri()
    with closing(sqlite3.connect(file)) as connection, connection:
        alien = list[str]()
        # The experiment that MLflow makes for itself holds none of our runs.
        connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0", (new,)
        )
        for table, column in LOCATIONS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - our own
                f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
            )
            found = connection.execute(f"SELECT DISTINCT {column} FROM {table}")  # noqa: S608
            alien += [f"{one} in {table}" for (one,) in found if not _is_inside(one or "", new)]
    if alien:
        raise StoreError(
            f"MLflow's database names {first_few(alien)}. Expected files below "
            f"{before} alone. Move them there, or delete these runs and versions in "
            "MLflow. Restore only archives of your own."
        )


def _is_inside(place: str, folder: str) -> bool:
    if ".." in unquote(place).split("/"):
        return False
    return place in {"", DELETED, folder} or place.startswith(("models:/", f"{folder}/"))


KEEP_DAYS: Final = 180
"""Raw answers of providers younger than this are kept."""


def prune(
    settings: Settings, now: pd.Timestamp, *, keep_days: int = KEEP_DAYS, dry_run: bool = False
) -> tuple[list[Path], int]:
    """Delete old raw answers, while no run is in progress, and return them with their bytes."""
    before = (now - pd.Timedelta(days=keep_days)).timestamp()
    with single_writer(settings):
        files = {one: one.stat() for one in settings.http_cache_dir.rglob("*") if one.is_file()}
        old = {one: found.st_size for one, found in files.items() if found.st_mtime < before}
        if not dry_run:
            for one in old:
                one.unlink()
    return sorted(old), sum(old.values())
