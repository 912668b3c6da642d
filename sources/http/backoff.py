"""How long to wait before a request is retried."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_WAIT_S: Final = 1.0
"""Longest wait after the first failure; it doubles with every further one."""

MAX_WAIT_S: Final = 30.0
"""Longest wait unless the provider asks for more."""

MAX_RETRY_AFTER_S: Final = 120.0
"""Longest wait a provider may ask for within one ingest; more is an error."""

TOTAL_TIMEOUTS: Final = 3.0
"""Total time of one answer, in timeouts, even if data keeps arriving slowly."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How to wait between attempts; tests pass their own."""

    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    """Uniform in [0, 1): spreads the retries of many processes."""
    stopwatch: Callable[[], float] = time.monotonic

    def backoff(self, failures: int) -> float:
        """Return a random wait up to the limit after so many failures (full jitter)."""
        limit: float = min(MAX_WAIT_S, FIRST_WAIT_S * 2 ** (failures - 1))
        return limit * self.chance()


def parse_retry_after(retry_after: str, date: str) -> float | None:
    """Return the seconds of a ``Retry-After`` header; None if absent or not understood.

    Args:
        retry_after: the header, seconds or an HTTP date.
        date: the provider's own ``Date`` header, from which a date is measured.
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
