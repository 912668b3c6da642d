"""Keys of computed values: digests of the facts known, the code that computes, and the machine.

Equal keys mean equal bits. A fact known later, or code that does not take part, changes no key.
"""

import ast
import hashlib
import json
import os
import platform
from collections.abc import Iterator
from functools import cache, cached_property
from importlib.metadata import version
from itertools import compress
from typing import Final

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_info

from store.asof import require_time_zone
from store.settings import PROJECT_ROOT

PACKAGES: Final = ("lightgbm", "numpy", "pandas", "scipy", "scikit-learn", "threadpoolctl")
"""Packages whose arithmetic may reach a published number."""

THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

ROOMS: Final = ("store", "features", "models")
"""Folders of the code that computes."""

_SOURCES: Final = {
    path.relative_to(PROJECT_ROOT).as_posix(): path.read_bytes()
    for room in ROOMS
    for path in sorted((PROJECT_ROOT / room).rglob("*.py"))
}
"""Source by file, read when it is loaded: what is edited under a running process is not what it
runs."""


def key_of(*parts: object) -> str:
    """Return the SHA-256 of parts that JSON can write, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class KnownRows:
    """All versions of one kind of fact, digested as they were known at any moment."""

    def __init__(self, rows: pd.DataFrame) -> None:
        """Take rows with a UTC ``available_at``; not modified."""
        self._rows = rows

    @cached_property
    def _texts(self) -> list[bytes]:
        rows = self._rows.itertuples(index=False, name=None)
        return [json.dumps(row, default=str).encode() + b"\n" for row in rows]

    def digest(self, as_of: pd.Timestamp) -> str:
        """Return the SHA-256 of the rows known at a moment, in their order.

        Raises:
            LeakError: ``as_of`` has no time zone.
        """
        require_time_zone(as_of)
        known = self._rows["available_at"] <= as_of
        text = b"".join(compress(self._texts, known))
        return hashlib.sha256(json.dumps(list(self._rows)).encode() + b"\n" + text).hexdigest()


@cache
def code_digest(module: str) -> str:
    """Return a digest of the source of a module and of all of ours that it imports in the end.

    Args:
        module: Its ``__name__``, in a checkout or an installed package.
    """
    return source_digest(_SOURCES, module)


def source_digest(sources: dict[str, bytes], module: str) -> str:
    """Return ``code_digest`` given the source of each file by its path below the rooms' folder."""
    found: set[str] = set()
    new = set(_files_of(sources, module))
    while new:
        found |= new
        new = {file for one in new for file in _imported(sources, one)} - found
    if not found:
        raise ValueError(f"{module} is no module of {', '.join(ROOMS)}. Name one of them.")
    content = {file: hashlib.sha256(sources[file]).hexdigest() for file in found}
    return key_of(content)


def _imported(sources: dict[str, bytes], file: str) -> Iterator[str]:
    """Yield the files that a file imports, at its top or within a function."""
    for node in ast.walk(ast.parse(sources[file])):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield from _files_of(sources, one.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for one in node.names:
                yield from _files_of(sources, f"{node.module}.{one.name}")


def _files_of(sources: dict[str, bytes], name: str) -> Iterator[str]:
    """Yield the files that importing a name runs: its packages and the module itself."""
    parts = name.split(".")
    start = next((place for place, part in enumerate(parts) if part in ROOMS), len(parts))
    for end in range(start + 1, len(parts) + 1):
        path = "/".join(parts[start:end])
        yield from (file for file in (f"{path}/__init__.py", f"{path}.py") if file in sources)


def environment() -> dict[str, object]:
    """Return what a number may depend on beside rows and code: versions, platform, threads."""
    return {
        "packages": {
            "python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
        },
        "processor": " ".join(_instructions()),
        "platform": f"{platform.system()} {platform.machine()} {platform.libc_ver()[1]}".strip(),
        "threads": {
            "processors": os.cpu_count(),
            **{name: os.environ.get(name, "") for name in THREADS},
        },
    }


def _instructions() -> list[str]:
    """Return the sets of vector instructions that numpy uses here: they round differently."""
    sets = np.show_config(mode="dicts")["SIMD Extensions"]
    return [*sets["baseline"], *sets.get("found", [])]


@cache
def machine_digest() -> str:
    """Return a digest of ``environment`` and of the instructions that arithmetic chooses here."""
    config = np.show_config(mode="dicts")
    blas = sorted(
        str(one.get("architecture")) for one in threadpool_info() if one["user_api"] == "blas"
    )
    return key_of(environment(), config, blas)
