"""The outer layer of the service: security headers, limits on size and rate, metrics."""

import ipaddress
import resource
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.access import AllowedHosts, Network, client_of
from service.http.replies import problem, without_body

CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'none'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline, nothing from other hosts, no scripts: the pages have none."""

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

BURST_S: Final = 3.0
"""Seconds of requests a client may make at once."""

MOST_CLIENTS: Final = 10_000
"""Clients remembered; the one seen longest ago is dropped first."""

UNROUTED: Final = "none"


DESCRIPTORS: Final = 256
"""Descriptors kept for everything but connections: the store, scenarios, fonts."""

RESERVED: Final = 32
"""Connections beyond the cap that may ask for the health only."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections a service holds, and how large a body it reads."""

    in_all: int
    per_client: int
    body_bytes: int
    proxies: tuple[Network, ...] = ()
    """Believed where they name the client; their own connections are those of many clients."""

    @property
    def most(self) -> int:
        """Return the cap in all, lower where the process may open fewer files."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return max(RESERVED, min(self.in_all, files - DESCRIPTORS))

    @lru_cache(1024)  # noqa: B019 - as long as the service
    def of(self, peer: str) -> int:
        """Return the cap of a client."""
        own = ipaddress.ip_network(f"{peer}/64" if ":" in peer else peer)
        known = (one for one in self.proxies if one.version == own.version)
        return self.in_all if any(map(own.overlaps, known)) else self.per_client


@dataclass(slots=True)
class Allowance:
    """Token bucket of each client: requests it may make, refilled over time."""

    per_s: float
    clients: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def takes(self, client: str, moment: float) -> bool:
        """Take one request from a client's bucket and tell whether there was one.

        Args:
            client: Who asks.
            moment: Seconds on a clock that never goes back.
        """
        most = self.per_s * BURST_S
        left, before = self.clients.pop(client, (most, moment))
        left = min(most, left + (moment - before) * self.per_s)
        taken = left >= 1
        self.clients[client] = (left - taken, moment)
        if len(self.clients) > MOST_CLIENTS:
            self.clients.popitem(last=False)
        return taken


class ServiceMetrics:
    """Metrics of requests and scenarios, one registry a service."""

    def __init__(self, waiting: Callable[[], float] = lambda: 0) -> None:
        """Begin at zero; ``waiting`` returns how many scenarios wait."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "magnetcast_requests", "Responses by route, method and status.",
            ["route", "method", "status"], registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "magnetcast_request_seconds", "Time to the end of the response by route.",
            ["route"], registry=self.registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )  # fmt: skip
        waiting_now = Gauge(
            "magnetcast_what_if_waiting", "Scenarios waiting for a result.",
            registry=self.registry,
        )  # fmt: skip
        waiting_now.set_function(waiting)


class RequestLimits:
    """The outermost layer of the service."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: ServiceMetrics,
        max_body_bytes: int,
        requests_per_s: float,
        hosts: AllowedHosts,
    ) -> None:
        """Take the app, its metrics, limits and host names; 0 means no rate limit."""
        self._app = app
        self._metrics = metrics
        self._hosts = hosts
        self._most = max_body_bytes
        self._allowance = Allowance(requests_per_s) if requests_per_s > 0 else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request within the limits, add the headers and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), [int(HTTPStatus.INTERNAL_SERVER_ERROR)]
        answer = _with_headers(send, status)
        method = scope["method"]
        if method == "HEAD":
            # Answered like GET, without the body.
            scope, answer = {**scope, "method": "GET"}, without_body(answer)
        try:
            refused = self._refusal(scope)
            if refused is not None:
                await refused(scope, receive, answer)
            else:
                await self._app(scope, self._counted(receive), answer)
        finally:
            self._count(scope, method, status[0], time.perf_counter() - begun)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Return the response to a request over a limit, else None."""
        client = client_of(scope["client"][0] if scope.get("client") else "")
        if self._allowance and not self._allowance.takes(client, time.monotonic()):
            return problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"More than {self._allowance.per_s:g} requests a second from {client}. Expected "
                "fewer. Wait a second.",
                instance=scope["path"],
                headers={"Retry-After": "1"},
            )
        headers = Headers(scope=scope)
        if not self._hosts.admits(host := ", ".join(headers.getlist("host"))):
            return problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"Host {host[:100]!r} is not a name of this service. Expected localhost, an "
                "address it is bound to, or one of MAGNETCAST_PUBLIC_NAMES. Use such a name.",
                instance=scope["path"],
            )
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._most:
            return problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                self._too_large(),
                instance=scope["path"],
                headers={"Connection": "close"},
            )
        return None

    def _too_large(self) -> str:
        return (
            f"The body has more than {self._most} bytes. Expected a smaller one. Send less, or "
            "raise MAGNETCAST_MAX_BODY_BYTES."
        )

    def _counted(self, receive: Receive) -> Receive:
        """Stop a body that grows beyond the limit without a Content-Length."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large())
            return message

        return counted

    def _count(
        self, scope: MutableMapping[str, Any], method: str, status: int, seconds: float
    ) -> None:
        route = _route_of(scope)
        self._metrics.requests.labels(route, method, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)


def _route_of(scope: MutableMapping[str, Any]) -> str:
    """Return the path with parameters by name, so that there is one label a route."""
    if "route" not in scope:
        return UNROUTED
    named = {str(value): f"{{{name}}}" for name, value in scope.get("path_params", {}).items()}
    return "/".join(named.get(part, part) for part in scope["path"].split("/"))


def _with_headers(send: Send, status: list[int]) -> Callable[[Message], Awaitable[None]]:
    """Add the headers to a response and note its status."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            status[0] = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-cache")
        await send(message)

    return answer
