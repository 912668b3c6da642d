"""Backup of a home into one consistent archive, and restore into an empty home.

A PostgreSQL database is not included: ``pg_dump`` and ``pg_restore`` copy it (docs/operations.md).
Also here: deletion of old raw answers of providers.
"""

import json
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pandas as pd

from flows.clock import utc_now
from flows.context.stores import close_stores, single_writer, store_to_write
from models.registry.stored_model import may_have_records, move_locations
from store.archive import SUFFIX, copy_sqlite, extract_archive, sqlite_damage, write_archive
from store.database import open_store, shown_address, sqlite_file
from store.errors import DataError, StoreError, first_few
from store.facts.reading import latest_forecast
from store.settings import Settings

RECORD: Final = "last-backup.json"
"""File below home with the time and place of the last backup."""

SCRATCH: Final = ".backup-"
"""Beginning of the name of the folder in which a backup is collected."""

MANIFEST: Final = "manifest.json"
DATABASE: Final = "magnetcast.db"
MLFLOW: Final = "mlflow.db"


def back_up(settings: Settings, path: Path) -> tuple[str, int]:
    """Copy database, MLflow and publications into one archive; its SHA-256 and number of files.

    Runs wait until the databases are copied. MLflow's database is copied before its files: all
    files of runs that have ended are there, and files of later runs are harmless.

    Args:
        path: Archive to write, ``.tar.gz``; an older one is replaced when this one is complete.
    """
    engine = store_to_write(settings)
    with single_writer(settings):
        _remove_killed(settings)
        if may_have_records(settings):
            from models.registry.runs import connect  # noqa: PLC0415 - MLflow takes seconds

            connect(settings)  # corrects the paths of a home that was moved or copied
        with TemporaryDirectory(prefix=SCRATCH, dir=settings.home) as scratch:
            staged = Path(scratch)
            created_at, published = utc_now(), latest_forecast(engine)
            if sqlite_file(settings.url) is not None:
                copy_sqlite(settings.url, staged / DATABASE)
            if may_have_records(settings) and sqlite_file(settings.tracking_uri) is not None:
                copy_sqlite(settings.tracking_uri, staged / MLFLOW)
                move_locations(staged / MLFLOW, settings.artifact_dir, settings.artifact_dir)
            about = {
                "created_at": created_at.isoformat(),
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
    record = {"path": str(path.resolve()), "sha256": digest, "created_at": created_at.isoformat()}
    unfinished = settings.home / f".{RECORD}.part"
    unfinished.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(settings.home / RECORD)
    return digest, len(files)


def restore(settings: Settings, path: Path) -> Mapping[str, Any]:
    """Unpack an archive of one's own into an empty home; its manifest."""
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
            # The database comes last: a home without it does not count as restored.
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


def _remove_killed(settings: Settings) -> None:
    """Remove what backups left that were killed: who holds the writer's lock is alone."""
    for folder in settings.home.glob(f"{SCRATCH}*"):
        shutil.rmtree(folder)
    for unfinished in settings.backups_dir.glob(f".*{SUFFIX}.part"):
        unfinished.unlink()


def last_backup(settings: Settings) -> pd.Timestamp | None:
    """Moment of the last backup if its file still exists, else None."""
    try:
        record = json.loads((settings.home / RECORD).read_text(encoding="utf-8"))
        return pd.Timestamp(record["created_at"]) if Path(record["path"]).is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _folders(settings: Settings) -> dict[str, Path]:
    return {"artifacts": settings.artifact_dir, "publications": settings.publications_dir}


def _check_empty(settings: Settings, targets: Mapping[str, Path | None]) -> None:
    inside = settings.home.iterdir() if settings.home.is_dir() else ()
    obstacles = [str(file) for file in inside if file.name != settings.lock_path.name]
    obstacles += [
        str(target)
        for target in targets.values()
        if target is not None and (any(target.iterdir()) if target.is_dir() else target.exists())
    ]
    if obstacles:
        raise DataError(
            f"The home is not empty: {first_few(sorted(set(obstacles)))}. "
            "Expected an empty home. Name another with --home FOLDER, or move this one."
        )


def _checked(path: Path, staged: Path, settings: Settings) -> Mapping[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((staged / MANIFEST).read_text(encoding="utf-8"))
        before = Path(manifest["artifact_dir"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise DataError(
            f"{path} has no manifest of a backup ({err}). Expected an archive written by "
            "`magnetcast backup`. Use another; nothing was restored."
        ) from err
    if (staged / DATABASE).exists() == (sqlite_file(settings.url) is None):
        raise DataError(
            f"The archive was made from {manifest.get('database')}, and this home's database is "
            f"{shown_address(settings.url)}. Expected the same kind: SQLite is restored from the "
            "archive, PostgreSQL by pg_restore. Set MAGNETCAST_DATABASE_URL; nothing was restored."
        )
    for name in (DATABASE, MLFLOW):
        if wrong := sqlite_damage(f"sqlite:///{staged / name}"):
            raise StoreError(f"{wrong}. Expected the copy made by the backup. Use another archive.")
        if (staged / name).exists():
            (staged / name).chmod(0o600)
    if (staged / DATABASE).exists():
        from store.upgrade import upgrade  # noqa: PLC0415 - Alembic

        upgrade(f"sqlite:///{staged / DATABASE}", None)
        open_store(f"sqlite:///{staged / DATABASE}").dispose()  # refuses another schema
    if (staged / MLFLOW).exists():
        move_locations(staged / MLFLOW, before, settings.artifact_dir)
    return manifest


KEEP_DAYS: Final = 180
"""Age in days at which raw answers of providers are deleted."""


def prune(
    settings: Settings, moment: pd.Timestamp, *, keep_days: int = KEEP_DAYS, dry_run: bool = False
) -> tuple[list[Path], int]:
    """Delete old raw answers while no run is in progress; the files and their size in bytes."""
    before = (moment - pd.Timedelta(days=keep_days)).timestamp()
    with single_writer(settings):
        files = {file: file.stat() for file in settings.http_cache_dir.rglob("*") if file.is_file()}
        old = {file: status.st_size for file, status in files.items() if status.st_mtime < before}
        if not dry_run:
            for file in old:
                file.unlink()
    return sorted(old), sum(old.values())
