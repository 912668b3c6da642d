"""Restore from an archive: verified, migrated aside, then moved into place."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.backup.backup import artifact_root, folders, note_restored
from flows.context.console import echo
from flows.context.prefect_runs import is_up
from flows.context.stores import JOURNAL, close_stores, single_writer
from store.archive.archive_file import extract_archive, verify_archive
from store.archive.database_contents import DatabaseCopy, filled_tables, kind_of, load_postgres
from store.archive.database_copies import as_one_file, check_sqlite, copy_database, move_addresses
from store.archive.model_locations import settle_models
from store.archive.swap import remove, swap_all, undo
from store.database import open_store, shown_address
from store.errors import DataError, first_few
from store.settings import Settings
from store.sqlite_files import sqlite_file


def settings_into(settings: Settings, home: Path) -> Settings:
    """Return settings under which everything lies below one folder."""
    return settings.model_copy(
        update={
            "home": home,
            "database_url": None,
            "tracking_uri": f"sqlite:///{home.resolve() / 'mlruns' / 'mlflow.db'}",
            "artifact_dir": home.resolve() / "mlruns" / "artifacts",
        }
    )


def restore(settings: Settings, path: Path, *, force: bool = False) -> Mapping[str, Any]:
    """Put everything of an archive in place, and return its manifest.

    Nothing is touched before every hash was checked and an older schema migrated. What stood
    before is kept aside until all is in place, and comes back where anything fails.

    Args:
        settings: Where things are to be kept.
        path: The archive.
        force: Whether what is there may be replaced.

    Raises:
        DataError: The archive is refused, or there is something in its place.
        StoreError: A database cannot be read, migrated or replaced.
    """
    if not settings.home.exists():
        verify_archive(path)  # what is refused makes no home either
    settings.home.mkdir(parents=True, exist_ok=True)
    if is_up(settings.home):
        raise DataError(
            f"`magnetcast up` runs in {settings.home}. Expected nothing that reads what is to be "
            "replaced. End it first."
        )
    with single_writer(settings, is_first=True):
        journal = settings.home / JOURNAL
        if undo(journal):
            echo("restore   the restore that was cut off before was undone")
        if not force:
            _check_empty(settings)
        staged = settings.home / ".restoring"
        shutil.rmtree(staged, ignore_errors=True)
        try:
            manifest = extract_archive(path, staged)
            _put_in_place(settings, staged, manifest, journal)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    close_stores()
    note_restored(settings, str(manifest.get("audit_head", "")))
    return manifest


def _check_empty(settings: Settings) -> None:
    """Refuse to replace what is there."""
    targets = [settings.home, settings.artifact_dir]
    found = [
        str(file)
        for folder in targets
        if folder.is_dir()
        for file in sorted(folder.iterdir())
        if not file.name.endswith((".lock", ".part", JOURNAL))
    ]
    tracking = sqlite_file(settings.tracking_uri)
    found += [str(tracking)] if tracking is not None and tracking.exists() else []
    found += [
        f"rows in {name} of {shown_address(url)}"
        for url in {settings.url, settings.tracking_uri}
        if url.startswith("postgresql")
        for name in filled_tables(url)
    ]
    if found:
        raise DataError(
            f"There is something where the backup would go: {first_few(found)}. Expected an empty "
            "home. Restore --into another folder, or replace it with --force."
        )


def _put_in_place(
    settings: Settings, staged: Path, manifest: Mapping[str, Any], journal: Path
) -> None:
    """Prepare each part beside its place, then swap all of them."""
    moves: dict[Path, Path | None] = {}
    dumps: dict[str, Path] = {}
    try:
        for name, url in (("database", settings.url), ("mlflow", settings.tracking_uri)):
            copy = _copy_of(manifest, name)
            if copy is None:
                continue
            _check_kind(copy, url, name)
            target = sqlite_file(url)
            if target is None:
                dumps[url] = staged / name
                continue
            check_sqlite(staged / name, copy)
            (staged / name).chmod(0o600)
            moves[target] = _beside(staged / name, target)
            beside = f"sqlite:///{target.with_name(_hidden(target)).resolve()}"
            _bring_up(beside, name, manifest, settings, staged / "artifacts")
        for name, folder in folders(settings, with_cache=bool(manifest.get("with_cache"))).items():
            moves[folder] = _beside(staged / name, folder) if (staged / name).is_dir() else None
        swap_all(moves, journal, then=lambda: _load(settings, dumps, manifest, staged))
    finally:
        for target in moves:
            remove(target.with_name(_hidden(target)))
            remove(target.with_name(f".{_hidden(target)}.lock"))


def _bring_up(
    url: str, name: str, manifest: Mapping[str, Any], settings: Settings, artifacts: Path
) -> None:
    """Make a database fit for this release and place: an older schema migrated, files found."""
    if name == "database":
        open_store(url).dispose()
    else:
        root = artifact_root(settings.artifact_dir)
        move_addresses(url, str(manifest["artifact_root"]), root)
        settle_models(url, root, artifacts)
    if (file := sqlite_file(url)) is not None:
        as_one_file(file)


def _load(
    settings: Settings, dumps: Mapping[str, Path], manifest: Mapping[str, Any], staged: Path
) -> None:
    """Replace PostgreSQL databases; where one fails, all get back what they held."""
    before: dict[str, Path] = {}
    try:
        for number, (url, dump) in enumerate(dumps.items()):
            before[url] = staged / f"before-{number}"
            copy_database(url, before[url])
            load_postgres(url, dump)
            name = "database" if url == settings.url else "mlflow"
            _bring_up(url, name, manifest, settings, settings.artifact_dir)
    except BaseException:
        for url, old in before.items():
            if old.exists():
                load_postgres(url, old)
        raise


def _copy_of(manifest: Mapping[str, Any], name: str) -> DatabaseCopy | None:
    """Return a database's entry in the manifest, None if there is none.

    Raises:
        DataError: The entry has an unknown form.
    """
    entry = manifest.get(name)
    if entry is None:
        return None
    try:
        return DatabaseCopy(entry["kind"], str(entry["revision"]), {**entry["rows"]})
    except (KeyError, TypeError) as err:
        raise DataError(
            f"The archive's manifest describes the {name} as {json.dumps(entry)[:200]}. Expected "
            "kind, revision and rows. Use another backup."
        ) from err


def _check_kind(copy: DatabaseCopy, url: str, name: str) -> None:
    if copy.kind != kind_of(url):
        raise DataError(
            f"The archive's {name} is of {copy.kind} and {shown_address(url)} is not. Expected the "
            "same kind of database. Point the settings at one, or restore with --into FOLDER "
            "where it is SQLite."
        )


def _beside(source: Path, target: Path) -> Path:
    """Move a staged part to the folder of its place, so that the swap is a rename."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(_hidden(target))
    remove(beside)
    shutil.move(source, beside)
    return beside


def _hidden(target: Path) -> str:
    return f".{target.name}.restoring"
