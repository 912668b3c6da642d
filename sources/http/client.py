"""The one way out: calls that are patient, remembered, repeatable, and silent about keys."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Generic, Self, TypeVar
from urllib.parse import urlencode

import httpx

from sources.http import faults
from sources.http.api_keys import ApiKeys, hidden_in_logs
from sources.http.backoff import LONGEST_ASKED_S, WHOLE_ANSWER, RetryPolicy, asked_wait
from sources.http.cache import CachedReply, CacheEntry, HttpCache, sha256
from store.errors import SourceError
from store.settings import Settings

Read = TypeVar("Read")
Params = Sequence[tuple[str, str]]

JSON: Final = "application/json"
USER_AGENT: Final = "magnetcast (trade statistics; httpx)"

_REDIRECTS: Final = 3
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class HttpReply(Generic[Read]):
    """An answer that was understood."""

    value: Read | None
    """What was read from the body; None where the provider says there is nothing (204)."""
    url: str
    """The address, without keys."""
    sha256: str


@dataclass(frozen=True, slots=True)
class _Call:
    """What is asked, without keys."""

    url: str
    params: Params
    accept: str
    may_be_empty: bool

    @property
    def address(self) -> str:
        """Return the whole address as it may be shown."""
        return f"{self.url}?{urlencode(self.params)}" if self.params else self.url


@dataclass(frozen=True, slots=True)
class _TransientFailure:
    """A failure that may pass."""

    reason: str
    asked_s: float | None = None
    cause: Exception | None = None


class HttpClient:
    """Calls to one provider, within ``with``.

    Failures that may pass are tried again with growing, random waits; what was answered is kept on
    disk and asked for conditionally next time; offline the kept answers are replayed. No key
    appears in an error, a log or the cache.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        provider: str,
        base_url: str,
        secrets: ApiKeys | None = None,
        patience: RetryPolicy | None = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            settings: timeouts, attempts, cache and whether to stay offline.
            provider: as in the names of its settings, ``MAGNETCAST_<PROVIDER>_URL``.
            base_url: what every path is put behind.
            secrets: keys to send.
            patience: how to wait.
        """
        self._settings = settings
        self._provider = provider
        self._base = base_url.rstrip("/")
        self._secrets = secrets or ApiKeys()
        self._patience = patience or RetryPolicy()
        self._cache = HttpCache(settings.http_cache_dir / provider)
        self._answers = hashlib.sha256()
        self._open = ExitStack()
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        """Open the client, unless offline."""
        if not self._settings.offline:
            self._open.enter_context(hidden_in_logs(self._secrets))
            self._client = self._open.enter_context(self._new_client())
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self._client = None
        self._open.close()

    @property
    def sha256(self) -> str:
        """Return the hash over all answers so far, in the order they were asked for."""
        return self._answers.hexdigest()

    def json(self, path: str, params: Params = ()) -> HttpReply[object]:
        """Ask for JSON; as ``get``."""
        return self.get(path, params, read=json.loads)

    def get(
        self,
        path: str,
        params: Params = (),
        *,
        read: Callable[[bytes], Read],
        accept: str = JSON,
        may_be_empty: bool = False,
    ) -> HttpReply[Read]:
        """Ask until a whole answer comes.

        Args:
            path: what to put behind the base address.
            params: names and values of the query, without keys.
            read: makes something of the body; a ValueError means it is broken, and another try
                is made.
            accept: media type wanted.
            may_be_empty: whether "no content" (204) is an answer, as documented by few providers;
                otherwise it is a failure that may pass.

        Raises:
            SourceError: The provider did not deliver, or offline the answer is not kept.
            TooMuchError: It wants to be asked for less.
        """
        call = _Call(f"{self._base}{path}", tuple(params), accept, may_be_empty)
        if self._client is None:
            return self._replay(call, read)
        setback = _TransientFailure("")
        for failures in range(1, self._settings.http_attempts + 1):
            outcome = self._try(self._client, call, read)
            if isinstance(outcome, HttpReply):
                return outcome
            setback = outcome
            if failures < self._settings.http_attempts:
                self._wait(call, outcome, failures)
        raise faults.given_up(
            setback.reason,
            provider=self._provider,
            url=call.address,
            tries=self._settings.http_attempts,
        ) from setback.cause

    def _new_client(self) -> httpx.Client:
        """Make the client; proxies of the environment serve the outside only."""
        return httpx.Client(
            timeout=self._settings.http_timeout_s,
            headers={"User-Agent": USER_AGENT, **self._secrets.header_values()},
            trust_env=httpx.URL(self._base).host not in _LOOPBACK,
        )

    def _try(
        self, client: httpx.Client, call: _Call, read: Callable[[bytes], Read]
    ) -> HttpReply[Read] | _TransientFailure:
        """Make one call."""
        kept = self._cache.find(call.address, call.accept)
        try:
            response, body = self._send(client, call, kept)
        except (httpx.TransportError, httpx.DecodingError) as err:
            return _TransientFailure(self._transport_reason(err), cause=err)
        if response.status_code in faults.PASSING or self._is_void(response, call):
            asked = asked_wait(
                response.headers.get("Retry-After", ""), response.headers.get("Date", "")
            )
            return _TransientFailure(f"HTTP {response.status_code}", asked_s=asked)
        if response.status_code == HTTPStatus.NOT_MODIFIED and kept is not None:
            return self._taken(kept, read)
        if response.status_code not in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
            text = "" if _html(response, body) else body.decode("utf-8", "replace")
            if response.status_code == faults.TOO_MUCH:
                self._cache.keep(self._note(call, response, body), call.accept, body)
            raise faults.refusal(
                response.status_code, provider=self._provider, url=call.address, text=text
            )
        return self._received(call, response, body, read)

    def _received(
        self, call: _Call, response: httpx.Response, body: bytes, read: Callable[[bytes], Read]
    ) -> HttpReply[Read] | _TransientFailure:
        """Read and keep a fresh answer."""
        if _html(response, body):
            raise faults.html_refusal(provider=self._provider, url=call.address)
        answer = CachedReply(self._note(call, response, body), body)
        try:
            value = _value(answer, read)
        except ValueError as err:
            return _TransientFailure(
                f"the body cannot be used ({self._secrets.redact(str(err))})", cause=err
            )
        self._cache.keep(answer.note, call.accept, body)
        return self._reply(answer, value)

    def _send(
        self, client: httpx.Client, call: _Call, kept: CachedReply | None
    ) -> tuple[httpx.Response, bytes]:
        """Send a call, following redirects within its host, and read the whole body."""
        request = client.build_request(
            "GET",
            call.url,
            params=[*call.params, *self._secrets.param_values()],
            headers={"Accept": call.accept, **_conditions(kept)},
        )
        for _ in range(_REDIRECTS):
            response, body = self._exchange(client, request)
            if response.next_request is None:
                return response, body
            target = response.next_request.url
            if target.host != request.url.host or target.scheme not in {
                request.url.scheme,
                "https",
            }:
                raise faults.moved_refusal(target.host, provider=self._provider, url=call.address)
            request = response.next_request
        raise faults.moved_refusal("itself", provider=self._provider, url=call.address)

    def _exchange(
        self, client: httpx.Client, request: httpx.Request
    ) -> tuple[httpx.Response, bytes]:
        """Send one request and read its body, within a limit for all of it."""
        watch = self._patience.stopwatch
        until = watch() + WHOLE_ANSWER * self._settings.http_timeout_s
        response = client.send(request, stream=True)
        try:
            parts = []
            for part in response.iter_bytes():
                parts.append(part)
                if watch() > until:
                    raise httpx.ReadTimeout("the answer drips too slowly", request=request)
        finally:
            response.close()
        return response, self._secrets.redact_bytes(b"".join(parts))

    @staticmethod
    def _is_void(response: httpx.Response, call: _Call) -> bool:
        """Tell whether there is no content where there should be."""
        return response.status_code == HTTPStatus.NO_CONTENT and not call.may_be_empty

    def _wait(self, call: _Call, setback: _TransientFailure, failures: int) -> None:
        """Wait as long as asked, or of our own choosing."""
        if setback.asked_s is None:
            self._patience.sleep(self._patience.backoff(failures))
            return
        if setback.asked_s > LONGEST_ASKED_S:
            raise faults.asked_too_long(
                setback.asked_s, provider=self._provider, url=call.address
            ) from setback.cause
        self._patience.sleep(setback.asked_s + self._patience.backoff(1))

    def _replay(self, call: _Call, read: Callable[[bytes], Read]) -> HttpReply[Read]:
        """Answer from the cache."""
        if not self._settings.offline:
            raise RuntimeError("Http is used outside `with`.")
        kept = self._cache.find(call.address, call.accept)
        if kept is None:
            raise faults.not_cached(
                provider=self._provider, url=call.address, folder=str(self._cache.folder)
            )
        return self._taken(kept, read)

    def _taken(self, kept: CachedReply, read: Callable[[bytes], Read]) -> HttpReply[Read]:
        """Read an answer of the cache; one that was too large asks again for less."""
        if kept.note.status == faults.TOO_MUCH:
            raise faults.refusal(
                faults.TOO_MUCH, provider=self._provider, url=kept.note.url, text=""
            )
        try:
            return self._reply(kept, _value(kept, read))
        except ValueError as err:
            raise SourceError(
                f"The answer of {self._provider} kept for {kept.note.url} cannot be read: {err}. "
                f"Expected data as documented. Remove {self._cache.folder} and run again."
            ) from err

    def _reply(self, answer: CachedReply, value: Read | None) -> HttpReply[Read]:
        """Count an answer in and hand it out."""
        self._answers.update(answer.body)
        return HttpReply(value, answer.note.url, answer.note.sha256)

    def _note(self, call: _Call, response: httpx.Response, body: bytes) -> CacheEntry:
        """Write down an answer, without keys."""
        names = {
            "content_type": "Content-Type",
            "etag": "ETag",
            "last_modified": "Last-Modified",
            "date": "Date",
        }
        said = {
            name: self._secrets.redact(response.headers.get(header, ""))
            for name, header in names.items()
        }
        return CacheEntry(call.address, response.status_code, sha256(body), **said)

    def _transport_reason(self, err: Exception) -> str:
        """Word a failed connection."""
        return self._secrets.redact(
            f"{type(err).__name__}: {err}" if str(err) else type(err).__name__
        )


def _value(answer: CachedReply, read: Callable[[bytes], Read]) -> Read | None:
    """Read a body; nothing where there is no content."""
    return None if answer.note.status == HTTPStatus.NO_CONTENT else read(answer.body)


def _conditions(kept: CachedReply | None) -> dict[str, str]:
    """Return the headers that ask only for what has changed."""
    if kept is None:
        return {}
    asked = {"If-None-Match": kept.note.etag, "If-Modified-Since": kept.note.last_modified}
    return {name: value for name, value in asked.items() if value}


def _html(response: httpx.Response, body: bytes) -> bool:
    """Tell whether an answer is a page."""
    return faults.is_html(response.headers.get("Content-Type", ""), body)
