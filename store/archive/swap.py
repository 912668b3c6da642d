"""Putting several files and folders in place at once, with a way back at any moment.

Public: :func:`swap_all`, :func:`undo`, :func:`remove`.

A journal is on disk before the first move. Whoever finds one knows that a swap was cut off, and
:func:`undo` puts back what was there before.
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
    """Put files and folders in place, or leave everything as it was.

    Args:
        staged: What takes the place of each target, on the same disk; None where nothing does.
        journal: File that tells of the swap while it lasts.
        then: Is done last; where it fails, all is put back.
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
    # From here on the new state counts: what is left aside is only removed.
    journal.unlink()
    for place in places:
        remove(_aside(place))


def undo(journal: Path) -> bool:
    """Put back what a swap that was cut off had moved; return whether there was one.

    Raises:
        StoreError: The journal cannot be read.
    """
    if not journal.exists():
        return False
    try:
        was_there = json.loads(journal.read_text(encoding="utf-8")).items()
    except (OSError, ValueError, AttributeError) as err:
        raise StoreError(
            f"The journal {journal} cannot be read ({err}). Expected a list of files. What stood "
            "before lies beside each of them, its name ending in .before-restore."
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
    """Return where the old one waits until all is done."""
    return place.with_name(f".{place.name}.before-restore")


def remove(place: Path) -> None:
    """Remove a file or a whole folder, if it is there."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _write(journal: Path, told: Mapping[str, bool]) -> None:
    """Write the journal whole, and down to the disk."""
    unfinished = journal.with_name(f"{journal.name}.part")
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(told, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(journal)
