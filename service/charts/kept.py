"""Pictures kept by what they show: a new day or a new publication seldom changes every chart."""

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import pandas as pd

MOST: Final = 128
"""Pictures in memory, each some 50 to 300 kB."""

Picture = TypeVar("Picture", str, bytes)

_LOCK: Final = threading.Lock()
_PICTURES: Final[OrderedDict[str, Any]] = OrderedDict()
"""The latest used last."""


def kept(draw: Callable[[], Picture], *content: object) -> Picture:
    """Return the picture of some content, drawn where it is not kept from before.

    Args:
        draw: Draws it.
        content: All that the picture depends on.
    """
    key = digest_of(content)
    with _LOCK:
        found: Picture | None = _PICTURES.pop(key, None)
    picture = draw() if found is None else found
    with _LOCK:
        _PICTURES[key] = picture
        while len(_PICTURES) > MOST:
            _PICTURES.popitem(last=False)
    return picture


def digest_of(content: object) -> str:
    """Return a digest of values, of tables, and of dataclasses and collections of them."""
    found = hashlib.sha256()
    _add(found.update, content)
    return found.hexdigest()


def _add(add: Callable[[bytes], object], value: object) -> None:
    add(type(value).__name__.encode())
    if isinstance(value, pd.DataFrame):
        for name, column in value.items():
            _add(add, (name, str(column.dtype), column.tolist()))
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _add(add, getattr(value, field.name))
    elif isinstance(value, Mapping):
        _add(add, list(value.items()))
    elif isinstance(value, list | tuple):
        add(b"%d" % len(value))
        for item in value:
            _add(add, item)
    else:
        add(repr(value).encode())
