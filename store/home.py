"""The home, the folder of everything that is stored, looked up as git looks for a repository.

An option or the environment names it; else it is the nearest folder upwards that is one, else the
user's own (docs/adr/0044).
"""

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_data_path

VARIABLE: Final = "MAGNETCAST_HOME"
"""Environment variable that names the home, for this process and those it starts."""

FOLDER: Final = ".magnetcast"
"""Name of a folder that is a home wherever it lies."""

IN_CHECKOUT: Final = "var"
"""Folder of a checkout of magnetcast that is its home."""

PROJECT: Final = "magnetcast"
"""Name in the ``pyproject.toml`` of such a checkout, and of the folder among the user's data."""

NAMED_BY: Final = ContextVar("named_by", default=VARIABLE)
"""What named the home that the environment holds."""


@dataclass(frozen=True, slots=True)
class Home:
    """A home, and why it is that one."""

    path: Path
    """Absolute; need not exist."""
    source: str


def find_home() -> Home:
    """The home where nothing names one.

    A folder of another user is passed over: a stored model is code, and whoever may write below
    ``/tmp`` could have put it there.
    """
    current = Path.cwd()
    for folder in (current, *current.parents):
        if _is_ours(folder / FOLDER) and (folder / FOLDER).is_dir():
            return Home(folder / FOLDER, "found upwards from the current folder")
        if is_checkout(folder):
            return Home(folder / IN_CHECKOUT, "of the checkout around the current folder")
    return Home(user_data_path(PROJECT, appauthor=False), "among the user's data")


@contextmanager
def chosen_home(folder: Path) -> Iterator[None]:
    """Make a folder, named by ``--home``, that of this process and of those it starts meanwhile."""
    before, option = os.environ.get(VARIABLE), NAMED_BY.set("--home")
    os.environ[VARIABLE] = str(folder.expanduser().resolve())
    try:
        yield
    finally:
        NAMED_BY.reset(option)
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def is_checkout(folder: Path) -> bool:
    """Whether a folder is a checkout of magnetcast; one of another project is not."""
    file = folder / "pyproject.toml"
    if not _is_ours(file):
        return False
    try:
        project = tomllib.loads(file.read_text(encoding="utf-8")).get("project")
    except (OSError, ValueError):
        return False
    return isinstance(project, dict) and project.get("name") == PROJECT


def _is_ours(path: Path) -> bool:
    try:
        return path.stat().st_uid == os.geteuid()
    except OSError:
        return False
