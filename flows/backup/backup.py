"""Everything kept, in one archive, of one state though runs go on."""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pandas as pd
from pydantic import SecretStr

from flows.clock import utc_now
from flows.context.provenance import git_commit
from flows.context.stores import single_writer, store_of
from models.registry.mlflow_client import is_kept
from store.archive.archive_file import verify_archive, write_archive
from store.archive.database_contents import DatabaseCopy
from store.archive.database_copies import copy_database
from store.database import shown_address
from store.facts.reading import latest_forecast
from store.settings import Settings

RECORD: Final = "last-backup.json"
"""File below home with the time and place of the last backup."""

ADDRESSES: Final = ("database_url", "tracking_uri")
"""Settings that may contain a password."""

PACKAGES: Final = ("magnetcast", "mlflow", "prefect", "sqlalchemy", "pandas", "lightgbm")


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup made."""

    path: Path
    sha256: str
    manifest: Mapping[str, Any]


def back_up(settings: Settings, path: Path, *, with_cache: bool = False) -> Backup:
    """Copy database, MLflow, reports and settings without secrets into one verified archive.

    Runs wait until the copies of both databases are made, so that what one says of the other
    holds. MLflow's database is copied before its files: a run that had ended by then has all of
    them, and files of runs that began later do no harm.

    Args:
        settings: Where things are kept.
        path: The archive, ``.tar.zst`` or ``.tar.gz``; an older one is replaced when this is whole.
        with_cache: Whether to keep the raw answers of providers too.

    Raises:
        DataError: The archive's name has another ending.
        StoreError: A database cannot be copied, or the archive cannot be written.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    engine = store_of(settings)
    with TemporaryDirectory(prefix=".backup-", dir=settings.home) as scratch:
        staged = Path(scratch)
        with single_writer(settings):
            now = utc_now()
            published = latest_forecast(engine)
            database = copy_database(settings.url, staged / "database")
            mlflow = _copy_mlflow(settings, staged / "mlflow")
            (staged / "settings.json").write_text(_told(settings), encoding="utf-8")
            files = {file.name: file for file in staged.iterdir()}
            for name, folder in folders(settings, with_cache=with_cache).items():
                files |= _below(folder, name)
            about = {
                "created_at": now.isoformat(),
                "as_of": None if published.empty else published["as_of"].max().isoformat(),
                "versions": {name: version(name) for name in PACKAGES},
                "python": platform.python_version(),
                "git_commit": git_commit(),
                "database": _copy_told(database),
                "mlflow": None if mlflow is None else _copy_told(mlflow),
                "artifact_root": artifact_root(settings.artifact_dir),
                "with_cache": with_cache,
            }
            digest = write_archive(path, files, about)
    manifest = verify_archive(path)
    note(settings, path, digest, now)
    return Backup(path, digest, manifest)


def folders(settings: Settings, *, with_cache: bool = True) -> dict[str, Path]:
    """Return the folders of an archive by their names within it."""
    found = {"artifacts": settings.artifact_dir, "reports": settings.reports_dir}
    return {**found, "cache": settings.http_cache_dir} if with_cache else found


def artifact_root(folder: Path) -> str:
    """Return a folder as MLflow's database names it."""
    return folder.resolve().as_uri()


def note(settings: Settings, path: Path, digest: str, now: pd.Timestamp) -> None:
    """Note that a backup was made, for `magnetcast status`."""
    record = {"path": str(path.resolve()), "sha256": digest, "created_at": now.isoformat()}
    unfinished = settings.home / f".{RECORD}.part"
    unfinished.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(settings.home / RECORD)


def last_backup(settings: Settings) -> pd.Timestamp | None:
    """Return when the last backup that still lies where it was put was made, or None."""
    try:
        record = json.loads((settings.home / RECORD).read_text(encoding="utf-8"))
        return pd.Timestamp(record["created_at"]) if Path(record["path"]).is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _copy_mlflow(settings: Settings, target: Path) -> DatabaseCopy | None:
    return copy_database(settings.tracking_uri, target) if is_kept(settings) else None


def _below(folder: Path, name: str) -> dict[str, Path]:
    """Return the plain files below a folder by their names within the archive."""
    return {
        f"{name}/{file.relative_to(folder).as_posix()}": file
        for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink()
    }


def _told(settings: Settings) -> str:
    """Return the settings as JSON: no key, and no password within an address."""
    kept = {
        name: value
        for name, value in settings.model_dump().items()
        if not isinstance(value, SecretStr)
    }
    for name in ADDRESSES:
        if kept[name] is not None:
            kept[name] = shown_address(kept[name])
    return json.dumps(kept, indent=1, default=str) + "\n"


def _copy_told(copy: DatabaseCopy) -> dict[str, object]:
    return {"kind": copy.kind, "revision": copy.revision, "rows": dict(copy.rows)}
