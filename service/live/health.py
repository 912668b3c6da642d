"""How the installation is, in the words of `magnetcast status`; looked at once a minute at most."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pandas as pd
from starlette.concurrency import run_in_threadpool

KEPT_FOR: Final = pd.Timedelta(minutes=1)
"""Looking loads the champion and weighs all figures: seconds that nobody should ask for often."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is wrong and what to do about it."""

    name: str
    """Its paragraph in docs/operations.md."""
    is_broken: bool
    words: str
    remedy: tuple[str, ...]
    """Paragraphs, in which text between backticks is to be typed; empty where they are not here."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What was found at one moment (UTC)."""

    at: pd.Timestamp
    code: int
    """As ``magnetcast status`` ends: 0 fine, 1 stale or degraded, 2 broken."""
    headline: str
    lines: tuple[str, ...]
    alarms: tuple[Alarm, ...]


Examine = Callable[[pd.Timestamp], HealthReport]
"""Looks at everything; never raises for what it finds."""


class HealthCache:
    """Looks when asked and not more often than it must.

    Who asks meanwhile waits for the answer, in the loop: only who looks takes a thread.
    """

    def __init__(self, examine: Examine, clock: Callable[[], pd.Timestamp]) -> None:
        """Take who looks, and what tells the time."""
        self._examine = examine
        self._clock = clock
        self._guard = asyncio.Lock()
        self._found: HealthReport | None = None

    async def newest(self) -> HealthReport:
        """Return how it is, no older than a minute."""
        async with self._guard:
            now, found = self._clock(), self._found
            if found is None or not pd.Timedelta(0) <= now - found.at < KEPT_FOR:
                found = self._found = await run_in_threadpool(self._examine, now)
            return found
