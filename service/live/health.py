"""Health of the installation as `magnetcast status` reports it; checked once a minute at most."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pandas as pd
from starlette.concurrency import run_in_threadpool

KEPT_FOR: Final = pd.Timedelta(minutes=1)
"""A check loads the champion and all figures, which takes seconds."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A problem and its remedy."""

    name: str
    """Its section in docs/operations.md."""
    is_broken: bool
    words: str
    remedy: tuple[str, ...]
    """Paragraphs; text between backticks is a command. Empty where the docs are not installed."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Result of a check at one moment (UTC)."""

    at: pd.Timestamp
    code: int
    """Exit code of ``magnetcast status``: 0 fine, 1 stale or degraded, 2 broken."""
    headline: str
    lines: tuple[str, ...]
    alarms: tuple[Alarm, ...]


Examine = Callable[[pd.Timestamp], HealthReport]
"""Checks everything; never raises for what it finds."""


class HealthCache:
    """Checks on request, at most once a minute.

    Requests during a check wait in the event loop; only the check itself takes a thread.
    """

    def __init__(self, examine: Examine, clock: Callable[[], pd.Timestamp]) -> None:
        """Take the check and the clock."""
        self._examine = examine
        self._clock = clock
        self._guard = asyncio.Lock()
        self._found: HealthReport | None = None

    async def newest(self) -> HealthReport:
        """Return a report no older than a minute."""
        async with self._guard:
            now, found = self._clock(), self._found
            if found is None or not pd.Timedelta(0) <= now - found.at < KEPT_FOR:
                found = self._found = await run_in_threadpool(self._examine, now)
            return found
