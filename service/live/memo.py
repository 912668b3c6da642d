"""What is made once and kept as long as the publication it belongs to."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

_Made = TypeVar("_Made")


class Memo:
    """Values made on demand, each once however many ask at the same time.

    Keys come from the closed sets of a publication, so it cannot grow without end.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._values: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, key: Hashable) -> Any | None:  # noqa: ANN401 - whatever was kept
        """Return what is kept under a key, if it is there already."""
        return self._values.get(key)

    def make(self, key: Hashable, build: Callable[[], _Made]) -> _Made:
        """Return what is kept under a key, built now if it is not there."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._values:
                self._values[key] = build()
            made: _Made = self._values[key]
            return made


class Recent:
    """The values last used, for keys without end."""

    def __init__(self, most: int) -> None:
        """Begin empty; ``most`` values are kept."""
        self._most = most
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, key: Hashable) -> Any | None:  # noqa: ANN401 - whatever was kept
        """Return what is kept under a key, if it is there."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: Hashable, value: object) -> None:
        """Keep a value; the one used longest ago goes."""
        with self._guard:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._most:
                self._values.popitem(last=False)
