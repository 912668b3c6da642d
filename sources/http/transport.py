"""Requests on the wire: keys added and hidden, redirects kept within the host, a time limit.

API keys are sent with requests and never written anywhere.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, quote_plus

import httpx
from pydantic import SecretStr

from sources.http.cache import CachedReply
from sources.http.faults import TOTAL_TIMEOUTS, Call, RetryPolicy, redirect_refusal
from store.expansion import Expansion
from store.settings import Settings

HIDDEN: Final = "***"
"""Replaces a key in any text."""

_LOGGERS: Final = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")
"""Loggers that write addresses and headers; a filter acts only on the logger it is added to."""


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Keys sent with every request, by the name of the header or parameter."""

    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    params: Mapping[str, SecretStr] = field(default_factory=dict)

    def header_values(self) -> dict[str, str]:
        """Return the headers in plain text, for sending only."""
        return {name: key.get_secret_value() for name, key in self.headers.items()}

    def param_values(self) -> list[tuple[str, str]]:
        """Return the parameters in plain text, for sending only."""
        return [(name, key.get_secret_value()) for name, key in self.params.items()]

    def redact(self, text: str) -> str:
        """Return ``text`` with every key hidden, however an address encodes it."""
        for written in self._written():
            text = text.replace(written, HIDDEN)
        return text

    def redact_bytes(self, body: bytes) -> bytes:
        """Return a body with every key hidden, because a provider may echo it."""
        for written in self._written():
            body = body.replace(written.encode(), HIDDEN.encode())
        return body

    def _written(self) -> list[str]:
        """Return the forms of all keys, the longest first."""
        keys = [key.get_secret_value() for key in (*self.headers.values(), *self.params.values())]
        forms = {
            form for key in keys if key for form in (key, quote(key, safe=""), quote_plus(key))
        }
        return sorted(forms, key=len, reverse=True)


def sent_as(name: str, key: SecretStr | None) -> Mapping[str, SecretStr]:
    """Return the header or parameter for a key; none if the key is missing or empty."""
    return {} if key is None or not key.get_secret_value() else {name: key}


@contextmanager
def hidden_in_logs(keys: ApiKeys) -> Iterator[None]:
    """Hide the keys in the logs of the HTTP library."""
    rule = _KeyFilter(keys)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(rule)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(rule)


class _KeyFilter(logging.Filter):
    """Redacts keys in every record."""

    def __init__(self, keys: ApiKeys) -> None:
        """Take the keys to hide."""
        super().__init__()
        self._keys = keys

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record."""
        record.msg, record.args = self._keys.redact(record.getMessage()), ()
        return True


USER_AGENT: Final = "magnetcast (trade statistics; httpx)"

_REDIRECTS: Final = 3
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Transport:
    """An open connection pool to one provider."""

    client: httpx.Client
    keys: ApiKeys
    retry_policy: RetryPolicy
    timeout_s: float

    @classmethod
    @contextmanager
    def opened(
        cls,
        settings: Settings,
        *,
        host: str,
        keys: ApiKeys,
        retry_policy: RetryPolicy,
    ) -> Iterator["Transport"]:
        """Open connections; proxies of the environment are not used for the loopback."""
        timeout_s = settings.http_timeout_s
        client = httpx.Client(
            timeout=timeout_s,
            headers={"User-Agent": USER_AGENT, **keys.header_values()},
            trust_env=host not in _LOOPBACK,
        )
        with hidden_in_logs(keys), client:
            yield cls(client, keys, retry_policy, timeout_s)

    def send(self, call: Call, cached: CachedReply | None) -> tuple[httpx.Response, bytes]:
        """Send a request, follow redirects within its host and read the whole body."""
        request = self.client.build_request(
            "GET",
            call.url,
            params=[*call.params, *self.keys.param_values()],
            headers={"Accept": call.accept, **_conditions(cached)},
        )
        for _ in range(_REDIRECTS):
            response, body = self._exchange(request)
            if response.next_request is None:
                return response, body
            target = response.next_request.url
            if target.host != request.url.host or target.scheme not in {
                request.url.scheme,
                "https",
            }:
                raise redirect_refusal(call, target.host)
            request = response.next_request
        raise redirect_refusal(call, "itself")

    def _exchange(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        """Send one request and read its body within a total time limit."""
        watch = self.retry_policy.stopwatch
        until = watch() + TOTAL_TIMEOUTS * self.timeout_s
        response = self.client.send(request, stream=True)
        try:
            parts, size = [], 0
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                packed = response.num_bytes_downloaded
                Expansion(f"The answer of {request.url.host}", packed).check(size)
                if watch() > until:
                    raise httpx.ReadTimeout("the answer drips too slowly", request=request)
        finally:
            response.close()
        return response, self.keys.redact_bytes(b"".join(parts))


def _conditions(cached: CachedReply | None) -> dict[str, str]:
    if cached is None:
        return {}
    asked = {"If-None-Match": cached.entry.etag, "If-Modified-Since": cached.entry.last_modified}
    return {name: value for name, value in asked.items() if value}
