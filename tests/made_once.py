"""What is expensive is made by one worker of a test run; the others wait for it and share it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def shared_root(factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder that all workers of this test run have in common."""
    root = factory.getbasetemp()
    return root.parent if "PYTEST_XDIST_WORKER" in os.environ else root


def made_once(factory: pytest.TempPathFactory, name: str, fill: Callable[[Path], object]) -> Path:
    """Return the folder that the first worker that asked filled; nobody may write to it.

    Args:
        factory: Of the session.
        name: Of the folder, one for all workers.
        fill: Makes the folder, which is not there yet.
    """
    folder = shared_root(factory) / name
    whole = folder.with_suffix(".whole")
    with FileLock(folder.with_suffix(".lock")):
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            fill(folder)
            whole.touch()
    return folder
