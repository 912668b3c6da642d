"""Errors for failed requests: what happened and what to do about it."""

from typing import Final

from sources.files.messages import shown
from store.errors import SourceError
from store.settings import Settings

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


class TooMuchError(SourceError):
    """The answer would be too large for the provider."""


def is_html(content_type: str, body: bytes) -> bool:
    """Return whether an answer is an HTML page."""
    return "html" in content_type.lower() or body.lstrip()[:14].lower().startswith(_HTML)


def refusal(status: int, *, provider: str, url: str, text: str) -> SourceError:
    """Return an error for a status that another attempt will not change."""
    what, remedy = _REFUSED.get(
        status, ("answers with an unforeseen status", "Try again later, or look at the address.")
    )
    name = provider.upper()
    remedy = remedy.format(key=_key_hint(provider), url=f"MAGNETCAST_{name}_URL")
    quoted = f" and says {shown(text)!r}" if text.strip() else ""
    kind = TooMuchError if status == TOO_MUCH else SourceError
    return kind(
        f"{provider} {what} (HTTP {status}){quoted}, at {url}. Expected HTTP 200 with data. "
        f"{remedy}"
    )


def html_refusal(*, provider: str, url: str) -> SourceError:
    """Return an error for an HTML page in place of data."""
    return SourceError(
        f"{provider} sent an HTML page instead of data, at {url}. Expected JSON, CSV or XML as "
        "documented. Open the address in a browser: it may ask to log in, to accept terms, or tell "
        f"of maintenance. {_key_hint(provider)}".rstrip()
    )


def redirect_refusal(target: str, *, provider: str, url: str) -> SourceError:
    """Return an error for a redirect to another host, not followed because keys would be sent."""
    return SourceError(
        f"{provider} points to {target}, at {url}. Expected data at the same host, for a key must "
        f"go nowhere else. If the provider has moved, set MAGNETCAST_{provider.upper()}_URL."
    )


def attempts_exhausted(reason: str, *, provider: str, url: str, tries: int) -> SourceError:
    """Return an error for a request whose attempts all failed."""
    times = "once" if tries == 1 else f"{tries} times"
    return SourceError(
        f"{provider} failed {times}: {reason}, at {url}. Expected a whole answer. Try again later; "
        "nothing was taken over. MAGNETCAST_HTTP_ATTEMPTS and MAGNETCAST_HTTP_TIMEOUT_S set how "
        "patient to be."
    )


def retry_after_too_long(seconds: float, *, provider: str, url: str) -> SourceError:
    """Return an error for a wait that is too long for one run."""
    return SourceError(
        f"{provider} asks to wait {seconds:,.0f} s, at {url}. Expected no more than a short pause. "
        "Run the ingest again after that time; what was fetched is in the cache."
    )


def not_cached(*, provider: str, url: str, folder: str) -> SourceError:
    """Return an error for an answer that is not cached offline."""
    return SourceError(
        f"Offline, and no answer of {provider} to {url} is kept in {folder}. Expected one from an "
        "earlier run over the same months. Run once without MAGNETCAST_OFFLINE."
    )


def _key_hint(provider: str) -> str:
    """Return which key to set, if the provider takes one."""
    if f"{provider}_key" not in Settings.model_fields:
        return "It takes no key."
    return f"Set MAGNETCAST_{provider.upper()}_KEY to a valid key."
