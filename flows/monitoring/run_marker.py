"""What is being done and what came to grief, noted beside the store: it may be what failed.

A note is there while its work goes on. Work that failed leaves it with the reason, work that was
killed leaves it as it was; the next that succeeds takes it away.
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
"""File below home with the notes, by what is done."""

SHOWN: Final = 400
"""Characters kept of why something failed."""


@dataclass(frozen=True, slots=True)
class RunMarker:
    """One work that began and has not succeeded since."""

    what: str
    began_at: str
    error: str
    """Why it failed; empty where it goes on, or was killed."""


@contextmanager
def noted(settings: Settings, what: str) -> Iterator[None]:
    """Note a work while it lasts, and why it failed until it succeeds.

    The caller holds ``single_writer``: a note without an error under a free lock tells of a killed
    process.
    """
    began_at = f"{utc_now():%Y-%m-%d %H:%M} UTC"
    _change(settings, RunMarker(what, began_at, ""))
    try:
        yield
    except BaseException as err:
        told = " ".join(str(err).split()) if isinstance(err, Exception) else "it was told to end"
        _change(settings, RunMarker(what, began_at, told[:SHOWN] or type(err).__name__))
        raise
    _forget(settings, what)


def run_on(commodity: str) -> str:
    """Return the name, in alarms, of a run on the table of a commodity."""
    return f"the run on {commodity}"


def notes(settings: Settings) -> tuple[RunMarker, ...]:
    """Return what began and has not succeeded since; empty where the file says nothing."""
    try:
        told = json.loads(_file(settings).read_text(encoding="utf-8"))
        return tuple(
            RunMarker(str(n), str(v["began_at"]), str(v["error"])) for n, v in told.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()


def is_at_work(settings: Settings) -> bool:
    """Tell whether some process holds the writer's lock."""
    try:
        with FileLock(settings.lock_path, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _change(settings: Settings, note: RunMarker) -> None:
    _write(settings, {**{one.what: one for one in notes(settings)}, note.what: note})


def _forget(settings: Settings, what: str) -> None:
    found = {one.what: one for one in notes(settings)}
    if what in found:
        _write(settings, {name: one for name, one in found.items() if name != what})


def _write(settings: Settings, found: dict[str, RunMarker]) -> None:
    """Write the notes whole, on a full disk over the old ones; the work goes on without them."""
    told = {name: {"began_at": one.began_at, "error": one.error} for name, one in found.items()}
    unfinished = settings.home / f".{FILE}.part"
    content = json.dumps(told, indent=1) + "\n"
    try:
        unfinished.write_text(content, encoding="utf-8")
        unfinished.replace(_file(settings))
    except OSError:
        # The room that the notes had is still theirs.
        with suppress(OSError), _file(settings).open("r+", encoding="utf-8") as file:
            file.write(content)
            file.truncate()
    with suppress(OSError):
        unfinished.unlink(missing_ok=True)


def _file(settings: Settings) -> Path:
    return settings.home / FILE
