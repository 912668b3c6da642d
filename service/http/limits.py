"""Outermost layer of the service: Host check, body limit, headers, metrics, uvicorn's limits."""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.access import is_own_name
from service.http.replies import problem

HEAD_BYTES: Final = 32_000
"""Largest head of a request: its address and headers."""

ENDING_S: Final = 5
"""Seconds that running requests may still take at shutdown."""


def server_config(app: ASGIApp, proxies: str = "") -> uvicorn.Config:
    """Settings of uvicorn; the client address given by ``proxies`` is trusted."""
    return uvicorn.Config(
        app,
        http="h11",
        h11_max_incomplete_event_size=HEAD_BYTES,
        ws="none",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=ENDING_S,
    )


CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'none'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Pages have no inline styles, no scripts and nothing from other hosts."""

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

UNROUTED: Final = "none"


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
        host_names: frozenset[str],
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._host_names = host_names
        self._max_body_bytes = max_body_bytes
        self._too_large = (
            f"The body has more than {max_body_bytes} bytes. Expected a smaller one. Send less, or "
            "raise MAGNETCAST_MAX_BODY_BYTES."
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request within the limits, add the headers and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), [int(HTTPStatus.INTERNAL_SERVER_ERROR)]
        answer = _with_headers(send, status)
        method = scope["method"]
        if method == "HEAD":
            scope = {**scope, "method": "GET"}  # the server itself sends no body
        try:
            refused = self._refusal(scope)
            await (refused or self._app)(scope, self._counted(receive), answer)
        finally:
            # The path with its parameters by name, so that there is one label a route.
            route = getattr(scope.get("route"), "path", UNROUTED)
            self._metrics.requests.labels(route, method, str(status[0])).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Response to a foreign host name or too large a body, else None."""
        headers = Headers(scope=scope)
        if not is_own_name(host := ", ".join(headers.getlist("host")), self._host_names):
            return problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"Host {host[:100]!r} is not a name of this service. Expected localhost or "
                "one of MAGNETCAST_PUBLIC_NAMES. Use such a name.",
                instance=scope["path"],
            )
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._max_body_bytes:
            return problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                self._too_large,
                instance=scope["path"],
                headers={"Connection": "close"},
            )
        return None

    def _counted(self, receive: Receive) -> Receive:
        """Stop a body that grows beyond the limit without a Content-Length."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large)
            return message

        return counted


def _with_headers(send: Send, status: list[int]) -> Callable[[Message], Awaitable[None]]:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            status[0] = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-cache")
        await send(message)

    return answer
