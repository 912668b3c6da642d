"""A bounded folder of computed values, each file named by the digest of all it depends on.

The folder may be deleted at any time: values are then computed again.
"""

import io
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = dict[str, Any]
"""By name numbers, texts, arrays and tables."""

_TABLE: Final = ".feather"
"""Ends the name of a table, as the bytes of an Arrow file, which keeps units of moments."""


class DigestCache:
    """Values by key."""

    def __init__(self, folder: Path | None = None, most_bytes: int = 0) -> None:
        """Take the folder, which need not exist."""
        self._folder = folder if most_bytes > 0 else None
        self._most_bytes = most_bytes

    def fetch(self, key: str, make: Callable[[], Values]) -> Values:
        """The values of a key, computed only if they are not stored."""
        value = None if self._folder is None else _read(self._folder / key)
        if value is None:
            value = make()
            if self._folder is not None:
                # A full or read-only disk, or no pyarrow, costs time, never a forecast.
                with suppress(OSError, ImportError):
                    self._write(self._folder, key, value)
        return value

    def holds(self, key: str) -> bool:
        """Whether there is a file of a key; only reading it tells whether it is sound."""
        return self._folder is not None and (self._folder / key).exists()

    def _write(self, folder: Path, key: str, values: Values) -> None:
        content = io.BytesIO()
        packed = dict(_packed(name, value) for name, value in values.items())
        np.savez_compressed(content, allow_pickle=False, **packed)
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".{uuid4().hex}"
        try:
            unfinished.write_bytes(content.getvalue())
            unfinished.replace(folder / key)
        finally:
            unfinished.unlink(missing_ok=True)
        total = 0
        for path in sorted(folder.iterdir(), key=lambda path: -path.stat().st_mtime_ns):
            total += path.stat().st_size
            if total > self._most_bytes:  # the files used least recently go
                path.unlink(missing_ok=True)


NOTHING_KEPT: Final = DigestCache()
"""Computes everything anew."""


def _read(path: Path) -> Values | None:
    values: Values = {}
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            for name, array in arrays.items():
                if name.endswith(_TABLE):
                    values[name.removesuffix(_TABLE)] = pd.read_feather(io.BytesIO(array.tobytes()))
                else:
                    values[name] = array if array.ndim else array.item()
        path.touch()
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    return values


def _packed(name: str, value: object) -> tuple[str, NDArray[Any]]:
    if isinstance(value, pd.DataFrame):
        content = io.BytesIO()
        value.to_feather(content, compression="uncompressed")
        return f"{name}{_TABLE}", np.frombuffer(content.getvalue(), dtype=np.uint8)
    return name, np.asarray(value)
