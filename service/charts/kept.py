"""Pictures kept by what they show: a new day or a new publication seldom changes every chart."""

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import pandas as pd

_MOST: Final = 512
"""Pictures in memory, each some 50 to 300 kB."""

Picture = TypeVar("Picture", str, bytes)

_LOCK: Final = threading.Lock()
_PICTURES: Final[OrderedDict[str, Any]] = OrderedDict()
"""The latest used last."""


def kept(draw: Callable[[], Picture], *content: object) -> Picture:
    """Return the picture of some content, drawn where it is not kept from before."""
    key = digest_of(content)
    with _LOCK:
        found: Picture | None = _PICTURES.pop(key, None)
    picture = draw() if found is None else found
    keep({key: picture})
    return picture


def pictures() -> dict[str, str | bytes]:
    """Return the pictures in memory by the digest of what they show."""
    with _LOCK:
        return dict(_PICTURES)


def keep(drawn: Mapping[str, str | bytes]) -> None:
    """Keep pictures by the digest of what they show; the oldest give way."""
    with _LOCK:
        for key, picture in drawn.items():
            _PICTURES[key] = picture
        while len(_PICTURES) > _MOST:
            _PICTURES.popitem(last=False)


def digest_of(content: object) -> str:
    """Return a digest of plain values, of tables, and of dataclasses and collections of them.

    Raises:
        TypeError: Something else is in it, which two pictures could differ by unseen.
    """
    found = hashlib.sha256()
    _add(found.update, content)
    return found.hexdigest()


def _add(add: Callable[[bytes], object], value: object) -> None:
    add(type(value).__name__.encode())
    parts = _parts(value)
    if parts is not None:
        add(b"%d" % len(parts))
        for part in parts:
            _add(add, part)
    elif pd.api.types.is_scalar(value):
        add(repr(value).encode())
    else:
        raise TypeError(f"A picture cannot be kept by a {type(value).__name__}.")


def _parts(value: object) -> Sequence[object] | None:
    """Return what a table, a dataclass or a collection holds; None for a value."""
    if isinstance(value, pd.DataFrame):
        columns = value.reset_index().items()
        return [(name, str(column.dtype), column.tolist()) for name, column in columns]
    if dataclasses.is_dataclass(value):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        return list(value.items())
    return value if isinstance(value, list | tuple) else None
