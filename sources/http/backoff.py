"""How long to wait before a call is tried again. Reads no clock of the day."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_WAIT_S: Final = 1.0
"""Longest wait after the first failure; it doubles with every further one."""

LONGEST_WAIT_S: Final = 30.0
"""Longest wait of our own choosing."""

LONGEST_ASKED_S: Final = 120.0
"""Longest wait a provider may ask for within one ingest; more is told as an error."""

WHOLE_ANSWER: Final = 3.0
"""How many timeouts one answer may take in all, however steadily it drips."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What waiting rests on; tests pass their own."""

    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    """Uniform in [0, 1): spreads the retries of many processes."""
    stopwatch: Callable[[], float] = time.monotonic

    def backoff(self, failures: int) -> float:
        """Return a wait between nothing and the limit after so many failures (full jitter)."""
        limit: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (failures - 1))
        return limit * self.chance()


def asked_wait(retry_after: str, date: str) -> float | None:
    """Return the seconds a provider asks to wait, None if it does not or cannot be understood.

    Args:
        retry_after: the header, seconds or an HTTP date.
        date: the provider's own ``Date`` header, which a date is measured from.
    """
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        gap = parsedate_to_datetime(retry_after) - parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return None
    return max(0.0, gap.total_seconds())
