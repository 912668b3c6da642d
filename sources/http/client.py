"""The HTTP client of all providers: retries, cache, offline replay and hidden keys."""

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Generic, Self, TypeVar

import httpx
import pandas as pd

from sources.http import faults
from sources.http.cache import CachedReply, CacheEntry, HttpCache, sha256
from sources.http.faults import (
    MAX_RETRY_AFTER_S,
    Call,
    Explain,
    Params,
    RetryPolicy,
    parse_retry_after,
    unexplained,
)
from sources.http.transport import ApiKeys, Transport
from store.errors import SourceError
from store.settings import Settings

Read = TypeVar("Read")

JSON: Final = "application/json"
_ANSWERED: Final = frozenset({HTTPStatus.OK, HTTPStatus.NO_CONTENT})


class Ticket(str):
    """A parsed body that only announces the answer; it never replaces a cached answer."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class HttpReply(Generic[Read]):
    """A parsed answer."""

    value: Read | None
    """The parsed body; None for "no content" (204)."""
    url: str
    """The address, without keys."""
    sha256: str


@dataclass(frozen=True, slots=True)
class _TransientFailure:
    """A failure worth another attempt."""

    reason: str
    retry_after_s: float | None = None
    cause: Exception | None = None


class HttpClient:
    """Calls to one provider, within ``with``.

    Transient failures are retried with growing, random waits. Answers are cached on disk and
    requested conditionally the next time; offline they are replayed. No key appears in an error, a
    log or the cache.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        provider: str,
        base_url: str,
        keys: ApiKeys | None = None,
        retry_policy: RetryPolicy | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            settings: timeouts, attempts, cache and whether to stay offline.
            provider: as in the names of its settings, ``MAGNETCAST_<PROVIDER>_URL``.
            base_url: what every path is put behind.
            keys: keys to send.
            retry_policy: how long to wait between attempts.
        """
        self._settings = settings
        self._provider = provider
        self._base = base_url.rstrip("/")
        self._keys = keys or ApiKeys()
        self._retry_policy = retry_policy or RetryPolicy()
        self._cache = HttpCache(settings.http_cache_dir / provider)
        self._answers = hashlib.sha256()
        self.answered_at: pd.Timestamp | None = None
        """When the last answer came, by the provider's clock (UTC); None offline."""
        self._open = ExitStack()
        self._transport: Transport | None = None

    def __enter__(self) -> Self:
        """Open the client, unless offline."""
        if not self._settings.offline:
            self._transport = self._open.enter_context(
                Transport.opened(
                    self._settings,
                    host=httpx.URL(self._base).host,
                    keys=self._keys,
                    retry_policy=self._retry_policy,
                )
            )
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self._transport = None
        self._open.close()

    @property
    def sha256(self) -> str:
        """Return the hash over all answers so far, in the order of the requests."""
        return self._answers.hexdigest()

    def pause(self, seconds: float) -> None:
        """Wait for an answer in preparation; not at all offline, where it is cached."""
        if self._transport is not None:
            self._retry_policy.sleep(seconds)

    def json(self, path: str, params: Params = ()) -> HttpReply[object]:
        """Request JSON; as ``get``."""
        return self.get(path, params, read=json.loads)

    def get(
        self,
        path: str,
        params: Params = (),
        *,
        read: Callable[[bytes], Read],
        accept: str = JSON,
        may_be_empty: bool = False,
        explain: Explain = unexplained,
        base_url: str = "",
    ) -> HttpReply[Read]:
        """Request until a complete answer arrives.

        Args:
            path: path below the base address.
            params: names and values of the query, without keys.
            read: parses the body; a ValueError means that it is broken and is retried.
            accept: media type wanted.
            may_be_empty: whether "no content" (204) is a valid answer, as few providers document;
                otherwise it is retried.
            explain: finds the provider's own refusal in a body; one for want of data is an empty
                reply.
            base_url: another address of the same provider.

        Raises:
            SourceError: The provider did not deliver, or offline the answer is not cached.
            TooMuchError: The answer would be too large.
        """
        url = f"{base_url or self._base}{path}"
        call = Call(self._provider, url, tuple(params), accept, may_be_empty, explain)
        if self._transport is None:
            return self._replay(call, read)
        failure = _TransientFailure("")
        for failures in range(1, self._settings.http_attempts + 1):
            outcome = self._try(self._transport, call, read)
            if isinstance(outcome, HttpReply):
                return outcome
            failure = outcome
            if failures < self._settings.http_attempts:
                self._wait(call, outcome, failures)
        tries = self._settings.http_attempts
        raise faults.attempts_exhausted(call, failure.reason, tries=tries) from failure.cause

    def _try(
        self, transport: Transport, call: Call, read: Callable[[bytes], Read]
    ) -> HttpReply[Read] | _TransientFailure:
        cached = self._cache.find(call.address, call.accept)
        try:
            response, body = transport.send(call, cached)
        except (httpx.TransportError, httpx.DecodingError) as err:
            return _TransientFailure(self._transport_reason(err), cause=err)
        date = response.headers.get("Date", "")
        sent = faults.answer_time(date, response.headers.get("Age", ""))
        self.answered_at = sent or self.answered_at
        is_void = response.status_code == HTTPStatus.NO_CONTENT and not call.may_be_empty
        if response.status_code in faults.TRANSIENT or is_void:
            asked = parse_retry_after(response.headers.get("Retry-After", ""), date)
            return _TransientFailure(f"HTTP {response.status_code}", retry_after_s=asked)
        if response.status_code == HTTPStatus.NOT_MODIFIED and cached is not None:
            return self._from_cache(call, cached, read)
        if response.status_code not in _ANSWERED or call.explain(body):
            return self._refused(call, CachedReply(self._cache_entry(call, response, body), body))
        return self._from_response(call, response, body, read)

    def _refused(self, call: Call, answer: CachedReply) -> HttpReply[Read]:
        """Return an empty reply where the provider has no data; raise its refusal otherwise."""
        refusal = call.explain(answer.body)
        kind = refusal.kind if refusal else "other"
        if kind != "other" or answer.entry.status == faults.TOO_MUCH:
            self._cache.save(answer.entry, call.accept, answer.body)
        if kind == "no_data":
            return self._reply(answer, None)
        raise faults.refusal(call, answer.entry.status, body=answer.body)

    def _from_response(
        self, call: Call, response: httpx.Response, body: bytes, read: Callable[[bytes], Read]
    ) -> HttpReply[Read] | _TransientFailure:
        """Parse and cache a new answer."""
        if _html(response, body):
            raise faults.html_refusal(call)
        answer = CachedReply(self._cache_entry(call, response, body), body)
        try:
            value = _value(answer, read)
        except ValueError as err:
            return _TransientFailure(
                f"the body cannot be used ({self._keys.redact(str(err))})", cause=err
            )
        if not (isinstance(value, Ticket) and self._is_answered(call, read)):
            self._cache.save(answer.entry, call.accept, body)
        return self._reply(answer, value)

    def _is_answered(self, call: Call, read: Callable[[bytes], Read]) -> bool:
        """Tell whether a usable answer is cached, and no ticket."""
        cached = self._cache.find(call.address, call.accept)
        if cached is None or cached.entry.status not in _ANSWERED or call.explain(cached.body):
            return False
        with suppress(ValueError):
            return not isinstance(_value(cached, read), Ticket)
        return False

    def _wait(self, call: Call, failure: _TransientFailure, failures: int) -> None:
        """Wait as long as the provider asks, else by the retry policy."""
        if failure.retry_after_s is None:
            self._retry_policy.sleep(self._retry_policy.backoff(failures))
            return
        if failure.retry_after_s > MAX_RETRY_AFTER_S:
            raise faults.retry_after_too_long(call, failure.retry_after_s) from failure.cause
        self._retry_policy.sleep(failure.retry_after_s + self._retry_policy.backoff(1))

    def _replay(self, call: Call, read: Callable[[bytes], Read]) -> HttpReply[Read]:
        if not self._settings.offline:
            raise RuntimeError("Http is used outside `with`.")
        cached = self._cache.find(call.address, call.accept)
        if cached is None:
            raise faults.not_cached(call, self._cache.folder)
        return self._from_cache(call, cached, read)

    def _from_cache(
        self, call: Call, cached: CachedReply, read: Callable[[bytes], Read]
    ) -> HttpReply[Read]:
        """Parse a cached answer; a refusal is one again."""
        if cached.entry.status not in _ANSWERED or call.explain(cached.body):
            return self._refused(call, cached)
        try:
            return self._reply(cached, _value(cached, read))
        except ValueError as err:
            raise SourceError(
                f"The answer of {self._provider} cached for {cached.entry.url} cannot be read: "
                f"{err}. Expected data as documented. Remove {self._cache.folder} and run again."
            ) from err

    def _reply(self, answer: CachedReply, value: Read | None) -> HttpReply[Read]:
        """Add an answer to the hash and return it."""
        self._answers.update(answer.body)
        return HttpReply(value, answer.entry.url, answer.entry.sha256)

    def _cache_entry(self, call: Call, response: httpx.Response, body: bytes) -> CacheEntry:
        """Describe an answer for the cache, without keys."""
        names = {
            "content_type": "Content-Type",
            "etag": "ETag",
            "last_modified": "Last-Modified",
            "date": "Date",
        }
        headers = {
            name: self._keys.redact(response.headers.get(header, ""))
            for name, header in names.items()
        }
        return CacheEntry(call.address, response.status_code, sha256(body), **headers)

    def _transport_reason(self, err: Exception) -> str:
        return self._keys.redact(f"{type(err).__name__}: {err}" if str(err) else type(err).__name__)


def _value(answer: CachedReply, read: Callable[[bytes], Read]) -> Read | None:
    """Parse a body; None where there is no content."""
    return None if answer.entry.status == HTTPStatus.NO_CONTENT else read(answer.body)


def _html(response: httpx.Response, body: bytes) -> bool:
    return faults.is_html(response.headers.get("Content-Type", ""), body)
