"""The open store of a process, and the lock that lets one write at a time."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

from filelock import FileLock, Timeout
from sqlalchemy import Engine

from flows.context.console import echo
from store.database import is_made, open_store, open_to_read, shown_address, sqlite_file
from store.errors import OldSchemaError, StoreError
from store.schema.database_tables import REVISION
from store.settings import Settings

MOST_OPEN: Final = 8
"""Stores that a process keeps open."""


_open: Final[dict[Settings, Engine]] = {}
"""The open stores of this process; the one used last is the last."""

_opening: Final = Lock()


def store_of(settings: Settings) -> Engine:
    """Open store of a process; creates no store, folder or lock."""
    with _opening:
        if (engine := _open.pop(settings, None)) is None:
            _check_present(settings)
            engine = open_store(settings.url)
        _open[settings] = engine
        while len(_open) > MOST_OPEN:
            _open.pop(next(iter(_open))).dispose()
        return engine


def close_stores() -> None:
    """Close what ``store_of`` opened, as before its files are moved."""
    with _opening:
        while _open:
            _open.popitem()[1].dispose()


atexit.register(close_stores)


@contextmanager
def store_to_read(settings: Settings) -> Iterator[Engine]:
    """Open the store without writing to it: also on a disk that is full or read-only."""
    _check_present(settings)
    with open_to_read(settings.url) as engine:
        yield engine


def made_store(settings: Settings) -> Engine:
    """Open store of a process as ``store_to_write`` does, created if there is none."""
    _check_not_damaged(settings)
    if not has_store(settings):
        open_store(settings.url).dispose()
    return store_to_write(settings)


def store_to_write(settings: Settings) -> Engine:
    """Open store of a process, migrated first if an older version made it; creates none."""
    try:
        return store_of(settings)
    except OldSchemaError:
        upgrade_store(settings)
        return store_of(settings)


def upgrade_store(settings: Settings, *, dry_run: bool = False) -> bool:
    """Migrate the store if an older version made it, say what changed and where its copy is."""
    from store.upgrade import upgrade  # noqa: PLC0415 - Alembic, once a version

    _check_present(settings)
    end = "dump" if sqlite_file(settings.url) is None else "db"
    copy = settings.backups_dir / f"before-schema-{REVISION}.{end}"
    changes = upgrade(settings.url, copy, settings.home, dry_run=dry_run)
    for change in changes:
        echo(f"upgrade   {'would change' if dry_run else 'changed'} {change}")
    if changes and not dry_run:
        echo(f"upgrade   the database as it was: {copy}")
    return bool(changes)


def has_store(settings: Settings) -> bool:
    """Tell whether there is a store to open; makes none."""
    return is_made(settings.url)


def _check_present(settings: Settings) -> None:
    _check_not_damaged(settings)
    if not has_store(settings):
        raise StoreError(
            f"There is no data yet in {shown_address(settings.url)}; the home is {settings.home} "
            f"({settings.home_source}). Expected facts. `magnetcast ingest` loads the bundled "
            "ones, `magnetcast run` forecasts too; --home names another home."
        )


def _check_not_damaged(settings: Settings) -> None:
    if was_lost(settings):
        # Opening would make an empty one, and all would begin anew.
        raise StoreError(
            f"{sqlite_file(settings.url)} is gone, and publications are still in "
            f"{settings.publications_dir}. Expected their database. Mount its disk, put it "
            "back, restore a backup into a new home, or remove them to begin anew."
        )


def was_lost(settings: Settings) -> bool:
    """Tell whether forecasts were published here and their SQLite file is gone."""
    file = sqlite_file(settings.url)
    if file is None or (file.exists() and file.stat().st_size):
        return False
    return any(settings.publications_dir.glob("[!.]*/[!.]*"))  # a killed run leaves others


@contextmanager
def single_writer(settings: Settings, *, is_first: bool = False) -> Iterator[None]:
    """Let one process at a time train and publish; another waits."""
    if not is_first:
        store_to_write(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.lock_path, timeout=settings.lock_timeout_s):
            yield
    except Timeout as err:
        raise StoreError(
            f"Another run holds {settings.lock_path} since {settings.lock_timeout_s:.0f} s. "
            "Expected it to end. Wait for it, or end it and start again."
        ) from err


def is_writing(settings: Settings) -> bool:
    """Tell whether some process holds the writer's lock."""
    try:
        with FileLock(settings.lock_path, timeout=0):
            return False
    except (Timeout, OSError):
        return True
