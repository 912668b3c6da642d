"""A bounded folder of computed values, each file named by the digest of all it depends on.

A file that is cut short, damaged or of another key is no longer there for a reader, and the folder
may be deleted at any time: values are then computed again. Source: docs/adr/0046-kept-origins.md.
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from store.errors import StoreError

Values = dict[str, Any]
"""By name numbers, texts, arrays, and tables of numbers, texts and moments with a plain index."""

SEAL_BYTES: Final = 32
"""Length of the SHA-256 of key and content that a file begins with."""

ROOM_LEFT: Final = 0.9
"""Share of the bound that is filled after the oldest files were removed."""


class DigestCache:
    """Values by key; whoever asks gets the same bits, kept or newly computed."""

    def __init__(self, folder: Path | None = None, most_bytes: int = 0) -> None:
        """Take the folder, which need not exist.

        Args:
            folder: Where the files are; without one nothing is kept.
            most_bytes: Size of the folder beyond which its least recently used files are removed; 0
                keeps nothing.
        """
        self._folder = folder if most_bytes > 0 else None
        self._most_bytes = most_bytes
        self._room = 0
        self.computed = 0
        """How often something was not kept and had to be computed."""

    def fetch(self, key: str, make: Callable[[], Values]) -> Values:
        """Return the values of a key, computed only if they are not kept.

        Args:
            key: Hexadecimal digest of all that the values depend on.
            make: Computes them.
        """
        kept = None if self._folder is None else _read(self._folder / key, key)
        if kept is None:
            self.computed += 1
            kept = _packed(make())
            if self._folder is not None:
                with suppress(OSError):  # a full or read-only disk costs time, never a forecast
                    self._write(self._folder, key, kept)
        return _unpacked(kept)

    def holds(self, key: str) -> bool:
        """Tell whether there is a file of a key; only reading it tells whether it is sound."""
        return self._folder is not None and (self._folder / key).exists()

    def _write(self, folder: Path, key: str, packed: Mapping[str, NDArray[Any]]) -> None:
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **packed)
        sealed = _seal(key, content.getvalue()) + content.getvalue()
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".{uuid4().hex}"
        try:
            unfinished.write_bytes(sealed)
            unfinished.replace(folder / key)
        finally:
            unfinished.unlink(missing_ok=True)
        self._room -= len(sealed)
        if self._room < 0:
            self._room = self._most_bytes - _trimmed(folder, self._most_bytes)


NOTHING_KEPT: Final = DigestCache()
"""Computes everything anew."""


def _seal(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + content).digest()


def _read(path: Path, key: str) -> dict[str, NDArray[Any]] | None:
    """Return the arrays of a file, None if there is no such file or it is not sound."""
    try:
        sealed = path.read_bytes()
        seal, content = sealed[:SEAL_BYTES], sealed[SEAL_BYTES:]
        if seal != _seal(key, content):
            return None
        path.touch()
    except OSError:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def _trimmed(folder: Path, most_bytes: int) -> int:
    """Remove the least recently used files beyond a bound and return the bytes that are left."""
    found = []
    for path in folder.iterdir():
        with suppress(OSError):  # another process may remove it meanwhile
            found.append((path.stat().st_mtime_ns, path.stat().st_size, path))
    total = sum(size for _, size, _ in found)
    if total <= most_bytes:
        return total
    for _, size, path in sorted(found):
        if total <= most_bytes * ROOM_LEFT:
            break
        path.unlink(missing_ok=True)
        total -= size
    return total


def _packed(values: Values) -> dict[str, NDArray[Any]]:
    """Return values as arrays in C order; of a table ``NAME/place/COLUMN/TYPE`` for each column."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in values.items():
        if isinstance(value, pd.DataFrame):
            for place, column in enumerate(value.columns):
                path = f"{name}/{place}/{column}/{value[column].dtype}"
                arrays[path] = _packed_column(value[column])
        else:
            arrays[name] = np.asarray(value, order="C")
    return arrays


def _packed_column(column: "pd.Series[Any]") -> NDArray[Any]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        moments: NDArray[Any] = column.dt.tz_convert(None).to_numpy()
        return moments
    if not pd.api.types.is_string_dtype(column.dtype):
        return column.to_numpy()
    if not all(isinstance(text, str) for text in column):
        raise StoreError(
            f"Column {column.name!r} of a table to keep holds something that is not text. "
            "Expected texts alone, none missing. Give it a type of its own."
        )
    return column.to_numpy(dtype=str)


def _unpacked(arrays: Mapping[str, NDArray[Any]]) -> Values:
    values: Values = {}
    tables: dict[str, dict[str, pd.Series[Any]]] = {}
    for path, array in arrays.items():
        name, *column = path.split("/")
        if column:
            tables.setdefault(name, {})[column[1]] = _unpacked_column(array, column[2])
        else:
            values[name] = array if array.ndim else array.item()
    return values | {name: pd.DataFrame(columns) for name, columns in tables.items()}


def _unpacked_column(array: NDArray[Any], dtype: str) -> "pd.Series[Any]":
    if dtype.startswith("datetime64[") and dtype.endswith(", UTC]"):
        return pd.Series(array).dt.tz_localize("UTC")
    return pd.Series(array.astype(object) if array.dtype.kind == "U" else array, dtype=dtype)
