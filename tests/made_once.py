"""What is expensive is made by one worker of a test run; the others wait for it and share it."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

Made = TypeVar("Made")


def shared_root(factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder that all workers of this test run have in common."""
    root = factory.getbasetemp()
    return root.parent if "PYTEST_XDIST_WORKER" in os.environ else root


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[], Made]) -> Made:
    """Return what ``make`` returned in the first worker that asked; nobody may write to it."""
    told = shared_root(factory) / f"{name}.pickle"
    with FileLock(told.with_suffix(".lock")):
        if not told.exists():
            found = make()
            told.write_bytes(pickle.dumps(found))
            return found
    # Written by another worker of this very run.
    kept: Made = pickle.loads(told.read_bytes())  # noqa: S301
    return kept
