"""Caches: values computed once, and values used recently."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

_Made = TypeVar("_Made")


class Memo:
    """Values computed on demand, each once even under concurrent requests.

    Keys come from the closed sets of a publication, so its size is bounded.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._values: dict[Hashable, Any] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, key: Hashable) -> Any | None:  # noqa: ANN401 - values of any type
        """Return the value of a key, None where there is none yet."""
        return self._values.get(key)

    def make(self, key: Hashable, build: Callable[[], _Made]) -> _Made:
        """Return the value of a key, computed now if it is not there."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._values:
                self._values[key] = build()
            made: _Made = self._values[key]
            return made


class Recent:
    """The values used last, for unbounded keys."""

    def __init__(self, most: int) -> None:
        """Begin empty; ``most`` values are kept."""
        self._most = most
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, key: Hashable) -> Any | None:  # noqa: ANN401 - values of any type
        """Return the value of a key, None where there is none."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def keep(self, key: Hashable, value: object) -> None:
        """Keep a value and drop the least recently used one."""
        with self._guard:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._most:
                self._values.popitem(last=False)
