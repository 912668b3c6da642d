"""Report folders: readers find the old one or the new one, never half of either."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from store.errors import DataError

PAGE: Final = "index.html"


@contextmanager
def fresh_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of ``folder`` at the end.

    The old one stays when anything fails.

    Args:
        folder: The report's own folder; a report already there is replaced.

    Raises:
        DataError: ``folder`` holds other things.
    """
    _check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        yield fresh
        _swap(fresh, folder, aside=Path(scratch) / "previous")


def _check_folder(folder: Path) -> None:
    """Refuse to replace a folder that is no report, for its files would be lost."""
    if folder.exists() and not (folder.is_dir() and _is_report(folder)):
        raise DataError(
            f"{folder} exists and is no report, and would be replaced. Expected a new or empty "
            "folder, or one written before. Choose another folder."
        )


def _is_report(folder: Path) -> bool:
    """Tell whether a folder is empty or was written by ``write_report``."""
    names = {path.name for path in folder.iterdir()}
    return not names or {PAGE, "forecasts.csv"} <= names


def _swap(fresh: Path, folder: Path, *, aside: Path) -> None:
    """Put the fresh folder in place, and the old one back when that fails."""
    if not folder.exists():
        fresh.rename(folder)
        return
    folder.rename(aside)
    try:
        fresh.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
