"""The open store of a process, and the lock that lets one process write at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from filelock import FileLock, Timeout
from sqlalchemy import Engine

from store.archive.database_contents import sqlite_file
from store.database import open_store
from store.errors import StoreError
from store.settings import Settings

JOURNAL: Final = "restore.json"
"""File below home that is there while a restore puts things in place."""


@lru_cache(maxsize=8)
def store_of(settings: Settings) -> Engine:
    """Return the open store of a process.

    Raises:
        StoreError: It cannot be opened, is gone, or a restore was cut off.
    """
    if was_cut_off(settings):
        # A database made or opened now would get in the way of the one that waits aside.
        raise StoreError(
            f"A restore into {settings.home} goes on, or was cut off. Expected it to end. Wait for "
            "it, or run `magnetcast restore FILE` again: it undoes first what was cut off."
        )
    if was_lost(settings):
        # Opening would make an empty one, and all would begin anew.
        raise StoreError(
            f"{sqlite_file(settings.url)} is gone, and reports of forecasts are still in "
            f"{settings.reports_dir}. Expected the database they came from. Mount its disk or put "
            "it back, run `magnetcast restore FILE --force`, or remove the reports to begin anew."
        )
    return open_store(settings.url)


def was_lost(settings: Settings) -> bool:
    """Tell whether forecasts were published here and their SQLite file is gone."""
    file = sqlite_file(settings.url)
    if file is None or (file.exists() and file.stat().st_size):
        return False
    return settings.reports_dir.is_dir() and any(settings.reports_dir.iterdir())


def was_cut_off(settings: Settings) -> bool:
    """Tell whether a restore began to replace things and did not end."""
    return (settings.home / JOURNAL).exists()


@contextmanager
def single_writer(settings: Settings) -> Iterator[None]:
    """Let one process at a time train and publish; another waits.

    Raises:
        StoreError: The other did not end in ``settings.lock_timeout_s``.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.lock_path, timeout=settings.lock_timeout_s):
            yield
    except Timeout as err:
        raise StoreError(
            f"Another run holds {settings.lock_path} since {settings.lock_timeout_s:.0f} s. "
            "Expected it to end. Wait for it, or end it and start again."
        ) from err
