"""Failed requests: how long to wait before another attempt, and errors that say what to do."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlencode

import pandas as pd

from store.errors import SourceError, shown
from store.settings import Settings

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


def answer_time(date: str, age: str) -> pd.Timestamp | None:
    """Return when an answer was sent (UTC); None if the provider does not say.

    Args:
        date: Its ``Date`` header.
        age: Its ``Age`` header: seconds that it lay in a cache on the way, empty if in none.
    """
    try:
        waited = pd.Timedelta(seconds=int(age or 0))
        return pd.Timestamp(parsedate_to_datetime(date)).tz_convert("UTC") + waited
    except (ValueError, TypeError, OverflowError):
        return None


TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses worth another attempt."""

TOO_MUCH: Final = 413

_HTML: Final = (b"<!doctype html", b"<html")

_REFUSED: Final[dict[int, tuple[str, str]]] = {
    400: (
        "does not understand the call",
        "Compare the call with the provider's documentation; it may have changed.",
    ),
    401: ("does not accept the key", "{key}"),
    403: ("refuses the call", "{key} Else wait until its quota is renewed."),
    404: ("has nothing at this address", "Check {url}; the provider may have moved the data."),
    412: (
        "answers with a bot wall",
        "No program passes it: download by hand in a browser and ingest the file.",
    ),
    TOO_MUCH: ("finds the answer too large", "Ask for fewer months at once."),
}


Params = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A provider's own account of why it sends no data."""

    text: str
    """In the provider's words, whole."""
    kind: Literal["no_data", "too_much", "other"] = "other"
    remedy: str = ""


Explain = Callable[[bytes], Refusal | None]
"""Returns the refusal in a body, None if there is none."""


def unexplained(_: bytes) -> None:
    """Return None: this provider's refusals are known by their status alone."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, without keys."""

    provider: str
    url: str
    params: Params
    accept: str
    may_be_empty: bool
    explain: Explain = unexplained

    @property
    def address(self) -> str:
        """Return the whole address as it may be shown."""
        return f"{self.url}?{urlencode(self.params)}" if self.params else self.url


class TooMuchError(SourceError):
    """The answer would be too large for the provider."""


def is_html(content_type: str, body: bytes) -> bool:
    """Return whether an answer is an HTML page."""
    return "html" in content_type.lower() or body.lstrip()[:14].lower().startswith(_HTML)


def refusal(call: Call, status: int, *, body: bytes = b"") -> SourceError:
    """Return an error for an answer without data that another attempt will not change."""
    own = call.explain(body)
    if own is not None and own.kind == "too_much":
        status = TOO_MUCH
    what, remedy = _REFUSED.get(
        status, ("answers with an unforeseen status", "Try again later, or look at the address.")
    )
    remedy = remedy.format(
        key=_key_hint(call.provider), url=f"MAGNETCAST_{call.provider.upper()}_URL"
    )
    text = "" if is_html("", body) else shown(body.decode("utf-8", "replace"))
    if own is not None:
        what = what if own.kind == "too_much" else "sends no data"
        text, remedy = own.text, own.remedy or remedy
    quoted = f" with the text {text!r}" if text else ""
    kind = TooMuchError if status == TOO_MUCH else SourceError
    return kind(
        f"{call.provider} {what} (HTTP {status}){quoted}, at {call.address}. Expected HTTP 200 "
        f"with data. {remedy}"
    )


def html_refusal(call: Call) -> SourceError:
    """Return an error for an HTML page in place of data."""
    return SourceError(
        f"{call.provider} sent an HTML page instead of data, at {call.address}. Expected JSON, CSV "
        "or XML as documented. Open the address in a browser: it may ask to log in, to accept "
        f"terms, or tell of maintenance. {_key_hint(call.provider)}".rstrip()
    )


def redirect_refusal(call: Call, target: str) -> SourceError:
    """Return an error for a redirect to another host, not followed because keys would be sent."""
    return SourceError(
        f"{call.provider} points to {target}, at {call.address}. Expected data at the same "
        "host, for a key must go nowhere else. "
        f"If the provider has moved, set MAGNETCAST_{call.provider.upper()}_URL."
    )


def attempts_exhausted(call: Call, reason: str, *, tries: int) -> SourceError:
    """Return an error for a request whose attempts all failed."""
    times = "once" if tries == 1 else f"{tries} times"
    return SourceError(
        f"{call.provider} failed {times}: {reason}, at {call.address}. Expected a whole answer. "
        "Try again later; nothing was taken over. MAGNETCAST_HTTP_ATTEMPTS and "
        "MAGNETCAST_HTTP_TIMEOUT_S set how patient to be."
    )


def retry_after_too_long(call: Call, seconds: float) -> SourceError:
    """Return an error for a wait that is too long for one run."""
    return SourceError(
        f"{call.provider} asks to wait {seconds:,.0f} s, at {call.address}. Expected no more than "
        "a short pause. Run the ingest again after that time; what was fetched is in the cache."
    )


def not_cached(call: Call, folder: Path) -> SourceError:
    """Return an error for an answer that is not cached offline."""
    return SourceError(
        f"Offline, and no answer of {call.provider} to {call.address} is kept in {folder}. "
        "Expected one from an earlier run over the same months. Run once without "
        "MAGNETCAST_OFFLINE."
    )


def _key_hint(provider: str) -> str:
    """Return which key to set, if the provider takes one."""
    if f"{provider}_key" not in Settings.model_fields:
        return "It takes no key."
    return f"Set MAGNETCAST_{provider.upper()}_KEY to a valid key."
