"""The open store of a process, and the lock that lets one process write at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from filelock import FileLock, Timeout
from sqlalchemy import Engine

from store.database import open_store
from store.errors import StoreError
from store.settings import Settings


@lru_cache(maxsize=8)
def store_of(settings: Settings) -> Engine:
    """Return the open store of a process."""
    return open_store(settings.url)


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
