"""Markers of runs that are going on, failed or were killed, in a file beside the database.

The ``runs`` table is the record of what ran; a marker holds what the table cannot: that the
database itself failed, that a process was killed, that an ingest failed (docs/adr/0033). A run that
succeeds removes its marker.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from flows.clock import utc_now
from store.settings import Settings

FILE: Final = "work.json"
"""File below home with the markers, by name of the run."""

SHOWN: Final = 400
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
    _put(settings, RunMarker(name, began_at, ""))
    try:
        yield
    except BaseException as err:
        message = " ".join(str(err).split()) if isinstance(err, Exception) else "it was interrupted"
        _put(settings, RunMarker(name, began_at, message[:SHOWN] or type(err).__name__))
        raise
    _remove(settings, name)


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


def _put(settings: Settings, marker: RunMarker) -> None:
    _write(settings, {**_by_name(settings), marker.name: marker})


def _remove(settings: Settings, name: str) -> None:
    markers = _by_name(settings)
    if markers.pop(name, None) is not None:
        _write(settings, markers)


def _by_name(settings: Settings) -> dict[str, RunMarker]:
    return {one.name: one for one in read_markers(settings)}


def _write(settings: Settings, markers: dict[str, RunMarker]) -> None:
    """Replace the file; on a full disk overwrite it in place. The run goes on either way."""
    stored = {name: {"began_at": one.began_at, "error": one.error} for name, one in markers.items()}
    unfinished = settings.home / f".{FILE}.part"
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
    return settings.home / FILE
