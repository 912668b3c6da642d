"""The open store of a process, the lock that lets one write at a time, and markers of its runs.

The ``runs`` table is the record of what ran; a marker, in a file beside the database, holds what it
cannot: that the database itself failed, that a process was killed, that an ingest failed
(docs/adr/0033). A run that succeeds removes its marker.
"""

import atexit
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from filelock import FileLock, Timeout
from sqlalchemy import Engine

from flows.clock import utc_now
from store.database import is_made, open_store, open_to_read, shown_address, sqlite_file
from store.errors import StoreError
from store.settings import Settings

MOST_OPEN: Final = 8
"""Stores that a process keeps open."""


_open: Final[dict[Settings, Engine]] = {}
"""The open stores of this process; the one used last is the last."""

_opening: Final = Lock()


def store_of(settings: Settings) -> Engine:
    """Return the open store of a process; never makes one, nor a folder or lock."""
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
    """Return the open store of a process, made if there is none."""
    _check_not_damaged(settings)
    if not has_store(settings):
        open_store(settings.url).dispose()
    return store_of(settings)


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
            f"{sqlite_file(settings.url)} is gone, and reports of forecasts are still in "
            f"{settings.reports_dir}. Expected the database they belong to. Mount its disk or put "
            "it back, restore a backup into a new home, or remove the reports to begin anew."
        )


def was_lost(settings: Settings) -> bool:
    """Tell whether forecasts were published here and their SQLite file is gone."""
    file = sqlite_file(settings.url)
    if file is None or (file.exists() and file.stat().st_size):
        return False
    found = settings.reports_dir.iterdir() if settings.reports_dir.is_dir() else ()
    return any(not one.name.startswith(".") for one in found)  # a killed run leaves such


@contextmanager
def single_writer(settings: Settings, *, is_first: bool = False) -> Iterator[None]:
    """Let one process at a time train and publish; another waits."""
    if not is_first:
        store_of(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.lock_path, timeout=settings.lock_timeout_s):
            yield
    except Timeout as err:
        raise StoreError(
            f"Another run holds {settings.lock_path} since {settings.lock_timeout_s:.0f} s. "
            "Expected it to end. Wait for it, or end it and start again."
        ) from err


MARKERS: Final = "work.json"
"""File below home with the markers, by name of the run."""

_SHOWN: Final = 400
"""Characters kept of an error message."""

MAIN_JOB: Final = "the main job"
"""Name of the run that ``magnetcast run`` makes."""


@dataclass(frozen=True, slots=True)
class RunMarker:
    """A run that began and has not succeeded since."""

    name: str
    began_at: str
    error: str
    """Why it failed; empty if it goes on or was killed."""


@contextmanager
def marked_run(settings: Settings, name: str) -> Iterator[None]:
    """Mark a run while it goes on, and why it failed until it succeeds.

    The caller holds ``single_writer``: a marker without an error and a free lock mean that the
    process was killed.
    """
    began_at = f"{utc_now():%Y-%m-%d %H:%M} UTC"
    _mark(settings, name, RunMarker(name, began_at, ""))
    try:
        yield
    except BaseException as err:
        message = " ".join(str(err).split()) if isinstance(err, Exception) else "it was interrupted"
        error = message[:_SHOWN] or type(err).__name__
        _mark(settings, name, RunMarker(name, began_at, error))
        raise
    _mark(settings, name, None)


def table_run(commodity: str) -> str:
    """Return the name of the run on the partner table of a commodity."""
    return f"the run on {commodity}"


def read_markers(settings: Settings) -> tuple[RunMarker, ...]:
    """Return the runs that began and have not succeeded since; none if the file is unreadable."""
    try:
        stored = json.loads(_file(settings).read_text(encoding="utf-8"))
        return tuple(
            RunMarker(str(name), str(one["began_at"]), str(one["error"]))
            for name, one in stored.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()


def unfinished_runs(settings: Settings) -> tuple[RunMarker, ...]:
    """Return the runs that failed or were killed; one that goes on is none of them."""
    markers = read_markers(settings)
    failed = tuple(one for one in markers if one.error)
    return failed if len(failed) == len(markers) or is_writing(settings) else markers


def is_writing(settings: Settings) -> bool:
    """Tell whether some process holds the writer's lock."""
    try:
        with FileLock(settings.lock_path, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _mark(settings: Settings, name: str, marker: RunMarker | None) -> None:
    markers = {one.name: one for one in read_markers(settings)}
    if marker is None:
        markers.pop(name, None)
    else:
        markers[name] = marker
    stored = {name: {"began_at": one.began_at, "error": one.error} for name, one in markers.items()}
    unfinished = settings.home / f".{MARKERS}.part"
    content = json.dumps(stored, indent=1) + "\n"
    try:
        unfinished.write_text(content, encoding="utf-8")
        unfinished.replace(_file(settings))
    except OSError:
        # The blocks of the old file are still there to be written.
        with suppress(OSError), _file(settings).open("r+", encoding="utf-8") as file:
            file.write(content)
            file.truncate()
    with suppress(OSError):
        unfinished.unlink(missing_ok=True)


def _file(settings: Settings) -> Path:
    return settings.home / MARKERS
