"""Replacing several files and folders at once, with a way back at any moment.

Public: :func:`swap_all`, :func:`undo`, :func:`remove`.

A journal is on disk before the first move. If one is found later, a swap was interrupted, and
:func:`undo` restores the state before it.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from store.errors import StoreError

COMPANIONS: Final = ("", "-wal", "-shm", "-journal")
"""Endings of the files that belong to a SQLite database; others have only the first."""


def swap_all(
    staged: Mapping[Path, Path | None], journal: Path, *, then: Callable[[], None]
) -> None:
    """Replace files and folders, or leave everything as it was.

    Args:
        staged: The replacement of each target, on the same disk; None to remove the target.
        journal: File that records the swap while it lasts.
        then: Called last; if it fails, everything is restored.
    """
    places = [_with(target, ending) for target in staged for ending in COMPANIONS]
    for place in places:
        remove(_aside(place))
    journal.parent.mkdir(parents=True, exist_ok=True)
    _write(journal, {str(place.resolve()): place.exists() for place in places})
    try:
        for place in places:
            if place.exists():
                place.replace(_aside(place))
        for target, new in staged.items():
            if new is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                new.replace(target)
        then()
    except BaseException:
        undo(journal)
        raise
    # From here on the new state is in force: the old files are only removed.
    journal.unlink()
    for place in places:
        remove(_aside(place))


def undo(journal: Path) -> bool:
    """Restore the state before an interrupted swap; return whether there was one.

    Raises:
        StoreError: The journal cannot be read.
    """
    if not journal.exists():
        return False
    try:
        was_there = json.loads(journal.read_text(encoding="utf-8")).items()
    except (OSError, ValueError, AttributeError) as err:
        raise StoreError(
            f"The journal {journal} cannot be read ({err}). Expected a list of files. The previous "
            "version of each lies beside it, its name ending in .before-restore."
        ) from err
    for name, was in was_there:
        place = Path(name)
        if _aside(place).exists():
            remove(place)
            _aside(place).replace(place)
        elif not was:
            remove(place)
    journal.unlink()
    return True


def _with(target: Path, ending: str) -> Path:
    return target.with_name(f"{target.name}{ending}")


def _aside(place: Path) -> Path:
    """Return where the old file is kept until the swap is complete."""
    return place.with_name(f".{place.name}.before-restore")


def remove(place: Path) -> None:
    """Remove a file or a whole folder, if it exists."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _write(journal: Path, existed: Mapping[str, bool]) -> None:
    """Write the journal atomically and flush it to the disk."""
    unfinished = journal.with_name(f"{journal.name}.part")
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(existed, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(journal)
