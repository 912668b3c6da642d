"""A loopback server that answers as the providers do, and misbehaves on request."""

import threading
from collections import defaultdict, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.providers.answers import Answer, Call, Fault, Provider, spoilt
from tests.providers.comtrade import ComtradeWorld
from tests.providers.world import World, providers_of


def at_once(_: float) -> None:
    """Do not wait."""


def small_world() -> World:
    """Return two years of a world of few partners, whose clock ticks a minute each call."""
    patient = count(step=60).__next__
    return World(
        comtrade=ComtradeWorld(first="2024-01", last="2025-12", partners=24, clock=patient)
    )


class Providers:
    """All providers behind one port of 127.0.0.1, each below its own path."""

    def __init__(self, world: World | None = None, *, port: int = 0) -> None:
        self.world = world or World()
        self.providers: dict[str, Provider] = providers_of(self.world)
        self.calls: list[Call] = []
        self._faults: dict[str, deque[Fault | None]] = defaultdict(deque)
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"server_of": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def urls(self) -> dict[str, str]:
        """Return the setting of each provider's address."""
        return {f"{name}_url": f"{self.url}/{name}" for name in self.providers}

    def misbehave(self, provider: str, fault: Fault, *, times: int = 1, after: int = 0) -> None:
        """Spoil the next answers of a provider, or those after some good ones."""
        with self._lock:
            self._faults[provider].extend([None] * after + [fault] * times)

    def behave(self) -> None:
        """Forget all faults not yet shown."""
        with self._lock:
            self._faults.clear()

    def answer(self, call: Call) -> Answer:
        """Return what a call gets, spoilt or not."""
        provider = self.providers[call.provider]
        with self._lock:
            self.calls.append(call)
            faults = self._faults[call.provider]
            fault = faults.popleft() if faults else None
        answer = provider.answer(call)
        return answer if fault is None else spoilt(answer, fault, provider)

    def asked(self, provider: str) -> list[Call]:
        """Return the calls one provider got."""
        return [call for call in self.calls if call.provider == provider]


class _Handler(BaseHTTPRequestHandler):
    server_of: Providers
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        provider, _, path = parts.path.lstrip("/").partition("/")
        if provider == "misbehave":
            self._misbehave(path)
            return
        if provider not in self.server_of.providers:
            self._send(Answer(b"{}", 404))
            return
        params = {name: tuple(values) for name, values in parse_qs(parts.query).items()}
        self._send(self.server_of.answer(Call(provider, path, params, dict(self.headers))))

    def _misbehave(self, path: str) -> None:
        """Take a fault by hand: /misbehave/comtrade/429/3."""
        provider, fault, *times = path.split("/")
        count = int(times[0]) if times else 1
        self.server_of.misbehave(provider, Fault(fault), times=count)
        self._send(Answer(f'"{provider}: {fault} {count} times"\n'.encode()))

    def _send(self, answer: Answer) -> None:
        same = answer.status == 200 and self.headers.get("If-None-Match") == answer.etag
        if answer.sent is None and same:
            self.send_response(304)
            self.end_headers()
            return
        if answer.sent == -1:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status == 200:
            self.send_header("ETag", answer.etag)
        if answer.status != 204:
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self._send_body(answer)

    def _send_body(self, answer: Answer) -> None:
        self.wfile.write(answer.body if answer.sent is None else answer.body[: answer.sent])
        if answer.sent is not None:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Stay silent."""
