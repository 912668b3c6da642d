"""Requests on the wire: keys added, redirects kept within the host, a time limit for each answer.

Private to ``sources.http.client``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import httpx

from sources.http import faults
from sources.http.api_keys import ApiKeys, hidden_in_logs
from sources.http.backoff import TOTAL_TIMEOUTS, RetryPolicy
from sources.http.cache import CachedReply
from store.settings import Settings

Params = Sequence[tuple[str, str]]

USER_AGENT: Final = "magnetcast (trade statistics; httpx)"

_REDIRECTS: Final = 3
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Call:
    """A request, without keys."""

    url: str
    params: Params
    accept: str
    may_be_empty: bool

    @property
    def address(self) -> str:
        """Return the whole address as it may be shown."""
        return f"{self.url}?{urlencode(self.params)}" if self.params else self.url


@dataclass(frozen=True, slots=True)
class Transport:
    """An open connection pool to one provider."""

    client: httpx.Client
    provider: str
    keys: ApiKeys
    retry_policy: RetryPolicy
    timeout_s: float

    @classmethod
    @contextmanager
    def opened(
        cls,
        settings: Settings,
        *,
        provider: str,
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
            yield cls(client, provider, keys, retry_policy, timeout_s)

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
                raise faults.redirect_refusal(target.host, provider=self.provider, url=call.address)
            request = response.next_request
        raise faults.redirect_refusal("itself", provider=self.provider, url=call.address)

    def _exchange(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        """Send one request and read its body within a total time limit."""
        watch = self.retry_policy.stopwatch
        until = watch() + TOTAL_TIMEOUTS * self.timeout_s
        response = self.client.send(request, stream=True)
        try:
            parts = []
            for part in response.iter_bytes():
                parts.append(part)
                if watch() > until:
                    raise httpx.ReadTimeout("the answer drips too slowly", request=request)
        finally:
            response.close()
        return response, self.keys.redact_bytes(b"".join(parts))


def _conditions(cached: CachedReply | None) -> dict[str, str]:
    """Return the headers of a conditional request."""
    if cached is None:
        return {}
    asked = {"If-None-Match": cached.entry.etag, "If-Modified-Since": cached.entry.last_modified}
    return {name: value for name, value in asked.items() if value}
