"""Everything kept in one archive, of one state though runs go on; deletion of what is too old."""

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

from flows.backup import KEEP_DAYS, KEEP_RUNS
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.provenance import git_commit
from flows.context.stores import single_writer, store_of
from models.registry.mlflow_client import is_kept
from models.registry.retention import OldRun, forget, old_runs
from store.archive.archive_file import verify_archive, write_archive
from store.archive.database_contents import DatabaseCopy
from store.archive.database_copies import copy_database
from store.database import shown_address
from store.errors import DataError
from store.facts.reading import latest_forecast, published_models
from store.planning.audit_chain import ChainHead, chain_damage, chain_head
from store.publications.integrity import read_publications
from store.settings import Settings

RECORD: Final = "last-backup.json"
"""File below home with the time and place of the last backup."""

PACKAGES: Final = ("magnetcast", "mlflow", "prefect", "sqlalchemy", "pandas", "lightgbm")


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup made."""

    path: Path
    sha256: str
    manifest: Mapping[str, Any]


def back_up(settings: Settings, path: Path, *, with_cache: bool = False) -> Backup:
    """Copy database, MLflow, reports and settings without secrets into one verified archive.

    Runs wait until the copies of both databases are made, so that what one records of the other
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
    engine = store_of(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".backup-", dir=settings.home) as scratch:
        staged = Path(scratch)
        with single_writer(settings):
            now = utc_now()
            published = latest_forecast(engine)
            head = str(chain_head(engine))  # before the copy, which then holds it
            database = copy_database(settings.url, staged / "database")
            mlflow = (
                copy_database(settings.tracking_uri, staged / "mlflow")
                if is_kept(settings)
                else None
            )
            (staged / "settings.json").write_text(_told(settings), encoding="utf-8")
            files = {file.name: file for file in staged.iterdir()}
            for name, folder in folders(settings, with_cache=with_cache).items():
                files |= _below(folder, name)
            about = {
                "created_at": now.isoformat(),
                "audit_head": head,
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
    former = last_backup_head(settings)
    if damage := chain_damage(engine, former):
        echo(f"backup    {damage}; the head that the earlier backup holds stays on record")
    note(settings, path, digest, now, str(former) if damage and former else head)
    return Backup(path, digest, manifest)


def folders(settings: Settings, *, with_cache: bool = True) -> dict[str, Path]:
    """Return the folders of an archive by their names within it."""
    found = {"artifacts": settings.artifact_dir, "reports": settings.reports_dir}
    return {**found, "cache": settings.http_cache_dir} if with_cache else found


def artifact_root(folder: Path) -> str:
    """Return a folder as MLflow's database names it."""
    return folder.resolve().as_uri()


def note(settings: Settings, path: Path, digest: str, now: pd.Timestamp, head: str) -> None:
    """Note that a backup was made, for `magnetcast status`."""
    record = {
        "path": str(path.resolve()),
        "sha256": digest,
        "created_at": now.isoformat(),
        "audit_head": head,
    }
    _write_record(settings, record)


def note_restored(settings: Settings, head: str) -> None:
    """Note that the audit trail is that of an archive again, which may be older than the last."""
    if record := _record(settings):
        _write_record(settings, {**record, "audit_head": head})


def _write_record(settings: Settings, record: Mapping[str, Any]) -> None:
    unfinished = settings.home / f".{RECORD}.part"
    unfinished.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(settings.home / RECORD)


def last_backup(settings: Settings) -> pd.Timestamp | None:
    """Return when the last backup that still lies where it was put was made, or None."""
    record = _record(settings)
    try:
        return pd.Timestamp(record["created_at"]) if Path(record["path"]).is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def last_backup_head(settings: Settings) -> ChainHead | None:
    """Return the head of the audit trail that the last backup noted, or None."""
    try:
        return ChainHead.read(str(_record(settings)["audit_head"]))
    except (DataError, KeyError):
        return None


def _record(settings: Settings) -> dict[str, Any]:
    """Return what was noted of the last backup; empty where nothing can be read."""
    try:
        return dict(json.loads((settings.home / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


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
    for name in ("database_url", "tracking_uri"):
        if kept[name] is not None:
            kept[name] = shown_address(kept[name])
    return json.dumps(kept, indent=1, default=str) + "\n"


def _copy_told(copy: DatabaseCopy) -> dict[str, object]:
    return {"kind": copy.kind, "revision": copy.revision, "rows": dict(copy.rows)}


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or would be."""

    runs: tuple[OldRun, ...]
    answers: tuple[Path, ...]
    """Files of the cache."""
    bytes: int
    """Their size."""


def prune(
    settings: Settings,
    now: pd.Timestamp,
    *,
    keep_runs: int = KEEP_RUNS,
    keep_days: int = KEEP_DAYS,
    dry_run: bool = False,
) -> Pruned:
    """Delete old runs of MLflow and old raw answers, while no run is in progress.

    Args:
        settings: Where things are kept.
        now: The moment ages are counted to (UTC).
        keep_runs: How many of the newest runs stay whatever their age.
        keep_days: Younger runs and answers stay.
        dry_run: Whether only to return what would be deleted.
    """
    before = now - pd.Timedelta(days=keep_days)
    with single_writer(settings):
        engine = store_of(settings)
        published = published_models(engine)
        # What is held may be published yet.
        for models in read_publications(engine)["models"]:
            published |= set(models.split("; "))
        runs = old_runs(
            settings,
            published=published,
            keep=keep_runs,
            before_ms=int(before.timestamp() * 1000),
        )
        answers = old_answers(settings.http_cache_dir, before)
        size = sum(file.stat().st_size for file in answers)
        if not dry_run:
            forget(settings, runs)
            for file in answers:
                file.unlink()
    return Pruned(tuple(runs), tuple(answers), size)


def old_answers(cache: Path, before: pd.Timestamp) -> list[Path]:
    """Return the notes last written before a moment, and the bodies that no younger note names."""
    moment = before.timestamp()
    notes = {file: file.stat().st_mtime < moment for file in cache.rglob("*.json")}
    named = {_body_of(file) for file, is_old in notes.items() if not is_old}
    bodies = [
        file
        for file in cache.rglob("*.body")
        if file not in named and file.stat().st_mtime < moment
    ]
    return sorted([*(file for file, is_old in notes.items() if is_old), *bodies])


def _body_of(note: Path) -> Path | None:
    """Return the body a note names; None for a note that cannot be read, which holds none."""
    try:
        return note.with_name(f"{json.loads(note.read_text(encoding='utf-8'))['sha256']}.body")
    except (OSError, ValueError, KeyError, TypeError):
        return None
