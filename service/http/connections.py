"""Connections: how many there may be, for how long, and how large the head of a request.

uvicorn reads whatever comes for as long as it comes. Here a connection without a whole request may
be closed when it is overdue, or to make room, the one that has waited longest first.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.http.access import NOBODY, client_of
from service.http.limits import RESERVED, SECURITY_HEADERS, ConnectionLimits
from service.http.replies import API, problem

HEAD_BYTES: Final = 32_000
"""Largest head of a request: its address and headers."""

HEAD_END: Final = b"\r\n\r\n"

HEADERS: Final = 100
"""Most headers of a request."""

HEAD_S: Final = 10.0
BODY_S: Final = 20.0
IDLE_S: Final = 5.0
STALL_S: Final = 10.0
"""Seconds for a head, for the body after it, between requests, and without reading a response."""

HEALTH: Final = f"{API}v1/health"

ENDING_S: Final = 5
"""Seconds that requests under way may take when the service ends."""

LOG_S: Final = 10.0
"""Seconds from one line of the log about closed connections to the next."""

_LOG: Final = logging.getLogger("magnetcast.service")


class Connections:
    """The open connections of a service."""

    def __init__(self, limits: ConnectionLimits) -> None:
        """Begin with none."""
        self.limits = limits
        self._open: set[LimitedProtocol] = set()
        self._waiting: dict[LimitedProtocol, None] = {}
        self._clients: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()
        self._logged_at = 0.0

    def admit(self, new: "LimitedProtocol") -> None:
        """Let a connection in; where that is one too many, close the one that waited longest."""
        self._open.add(new)
        self._clients[new.peer] += 1
        if self._clients[new.peer] > self.limits.of(new.peer):
            self._make_room(new, (one for one in self._waiting if one.peer == new.peer))
        elif len(self._open) > self.limits.most:
            self._make_room(new, self._waiting)
        self.wait(new)

    def _make_room(self, new: "LimitedProtocol", waiting: Iterable["LimitedProtocol"]) -> None:
        oldest = next(iter(waiting), None)
        if oldest is not None:
            self.close(oldest, f"made room for others from {oldest.peer}")
        elif len(self._open) > self.limits.most + RESERVED:
            self.close(new, f"found no room, from {new.peer}")
        else:
            new.is_reserve = True

    def wait(self, one: "LimitedProtocol") -> None:
        """Count a connection as waiting: it has no whole request under way."""
        self._waiting.pop(one, None)
        if one in self._open:
            self._waiting[one] = None

    def answer(self, one: "LimitedProtocol") -> None:
        """Count a connection as answered."""
        self._waiting.pop(one, None)

    def close(self, one: "LimitedProtocol", reason: str) -> None:
        """Close a connection at once and forget it."""
        self._closed[reason] += 1
        self.forget(one)
        one.transport.abort()

    def forget(self, one: "LimitedProtocol") -> None:
        """Forget a connection that is closed."""
        if one in self._open:
            self._open.remove(one)
            self._waiting.pop(one, None)
            self._clients[one.peer] -= 1
            if not self._clients[one.peer]:
                del self._clients[one.peer]

    def count(self, reason: str) -> None:
        """Count a connection that is about to be closed."""
        self._closed[reason] += 1

    async def sweep(self) -> None:
        """Close what is overdue; log what was closed."""
        now = time.monotonic()
        for one in [one for one in self._open if one.is_overdue(now)]:
            self.close(one, "were too slow")
        if self._closed and now >= self._logged_at + LOG_S:
            reasons = ", ".join(
                f"{count} {reason}" for reason, count in self._closed.most_common(3)
            )
            total = self._closed.total()
            _LOG.warning("Closed %d connections: %s; %d are open", total, reasons, len(self._open))
            self._closed.clear()
            self._logged_at = now


def _refusal(status: HTTPStatus, detail: str) -> Response:
    """Return a response after which the connection is closed."""
    headers = {"Connection": "close", "Retry-After": "5", **SECURITY_HEADERS}
    return problem(status, detail, instance="", headers=headers)


TOO_LARGE: Final = _refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"The address and headers of the request are too large. Expected at most {HEAD_BYTES} bytes "
    f"and {HEADERS} headers. Send fewer.",
)

NO_ROOM: Final = _refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "All connections of the service are in use. Expected fewer requests at once. "
    "Try again in a moment.",
)


class LimitedProtocol(HttpToolsProtocol):
    """One connection within the limits.

    uvicorn's part of it, most of the cost, is made when the head of the first request is whole.
    """

    def __init__(self, *, connections: Connections, **given: Any) -> None:  # noqa: ANN401 - uvicorn's
        """Take the other connections, and what uvicorn gives."""
        self._given: dict[str, Any] | None = given
        """What uvicorn's part is made of; None once it is made."""
        self._head = bytearray()
        self._connections = connections
        self.is_reserve = False
        """Whether it is one beyond the cap: it may ask for ``HEALTH``, once."""
        self._fed = 0
        """Bytes that came of the request that is being read."""
        self._unanswered = 0
        """Requests whose head was read and whose response is not complete."""
        self._is_whole = True
        """Whether the newest of them was read to its end."""
        self._deadline = math.inf
        self._unsent = 0
        self.peer = NOBODY

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Let the connection in, or not."""
        self.transport = transport
        known = transport.get_extra_info("peername")
        self.peer = client_of(known[0] if known else "")
        self._deadline = time.monotonic() + HEAD_S
        self._connections.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._given is None:
            super().connection_lost(exc)
        self._connections.forget(self)

    def data_received(self, data: bytes) -> None:
        """Read what came, unless the request grows beyond all limits."""
        self._fed += len(data)
        if self._given is not None:
            self._head += data
            is_whole = self._head.find(HEAD_END, -len(data) - len(HEAD_END)) >= 0
            if self._head[:1].isalpha() and not is_whole and self._fed <= HEAD_BYTES:
                return
            data = self._begin(self._given)
        super().data_received(data)
        if self.transport.is_closing():
            return
        # A body in small chunks takes several bytes on the wire for each of its own.
        body = 0 if self._is_whole else 8 * (HEAD_BYTES + self._connections.limits.body_bytes)
        if self._fed <= HEAD_BYTES + body:
            return
        if body or self._unanswered:
            self._connections.close(self, "sent too much")
        else:
            head = b"".join(b"%s: %s\r\n" % pair for pair in TOO_LARGE.raw_headers)
            status = STATUS_LINE[TOO_LARGE.status_code]
            self.transport.write(b"%s%s\r\n%s" % (status, head, bytes(TOO_LARGE.body)))
            self.transport.close()

    def _begin(self, given: dict[str, Any]) -> bytes:
        """Make uvicorn's part and return what came so far."""
        transport, read = self.transport, bytes(self._head)
        self._given = None
        self._head.clear()
        super().__init__(**given)
        super().connection_made(transport)
        return read

    def on_message_begin(self) -> None:
        """Expect the head of a request."""
        super().on_message_begin()
        if not self._unanswered:
            self._wait(HEAD_S)

    def on_headers_complete(self) -> None:
        """Begin to answer, if the head is not too large."""
        size = sum(len(name) + len(value) for name, value in self.headers) + len(self.url)
        if size > HEAD_BYTES or len(self.headers) > HEADERS:
            self.app = TOO_LARGE
        elif self.is_reserve and self.url != HEALTH.encode():
            self.app = NO_ROOM
        self._unanswered += 1
        self._is_whole = False
        self._deadline = time.monotonic() + BODY_S
        super().on_headers_complete()
        self.cycle.keep_alive &= not self.is_reserve

    def on_message_complete(self) -> None:
        """Note that a request was read to its end."""
        super().on_message_complete()
        self._fed, self._is_whole = 0, True
        if self._unanswered:
            self._deadline = math.inf
            self._connections.answer(self)

    def on_response_complete(self) -> None:
        """Expect the next request."""
        self._unanswered -= 1
        super().on_response_complete()
        if not self._unanswered:
            self._wait(IDLE_S)

    def is_overdue(self, now: float) -> bool:
        """Tell whether the client is too slow; taking up a response is progress."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent = unsent
            is_idle = not unsent and self._unanswered and self._is_whole
            self._deadline = math.inf if is_idle else now + STALL_S
        return now >= self._deadline

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request."""
        self._connections.count("sent no HTTP request")
        super().send_400_response(msg)

    def _wait(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._connections.wait(self)


def server_config(app: ASGIApp, limits: ConnectionLimits) -> uvicorn.Config:
    """Return how uvicorn serves the app within limits."""
    connections = Connections(limits)
    return uvicorn.Config(
        app,
        http=partial(LimitedProtocol, connections=connections),  # type: ignore[arg-type]  # called only
        ws="none",
        callback_notify=connections.sweep,
        timeout_notify=0,
        proxy_headers=bool(limits.proxies),
        forwarded_allow_ips=[str(network) for network in limits.proxies],
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=ENDING_S,
    )
