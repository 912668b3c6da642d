import asyncio
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from unittest.mock import MagicMock

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http import connections
from service.http.access import client_of, networks_of
from service.http.connections import (
    HEAD_BYTES,
    HEADERS,
    HEALTH,
    Connections,
    server_config,
)
from service.http.limits import RESERVED, ConnectionLimits

Address = tuple[str, int]
FEW = ConnectionLimits(in_all=100, per_client=8, body_bytes=1000)
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: "
LARGE = 30_000_000
TEST_S = 60
"""Far more than any of it takes."""

release = threading.Event()


async def hold(_: Request) -> Response:
    while not release.is_set():
        await asyncio.sleep(0.01)
    return PlainTextResponse("done")


async def health(request: Request) -> Response:
    return PlainTextResponse(f"{request.client.host} {request.url.scheme}")


async def large(_: Request) -> Response:
    return PlainTextResponse("x" * LARGE)


async def post(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


APP = Starlette(
    routes=[
        Route("/hold", hold),
        Route(HEALTH, health),
        Route("/large", large),
        Route("/post", post, methods=["POST"]),
    ]
)


@contextmanager
def serving(limits: ConnectionLimits = FEW) -> Iterator[Address]:
    """Serve a small app within limits, in a thread."""
    release.clear()
    server = uvicorn.Server(server_config(APP, limits))
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()[:2]
        finally:
            release.set()
            server.should_exit = True
            thread.join(TEST_S)


@contextmanager
def opened(address: Address, sent: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=TEST_S) as connection:
        connection.sendall(sent)
        yield connection


def asked(address: Address, path: str = HEALTH, **given: object) -> httpx.Response:
    with httpx.Client(timeout=TEST_S, trust_env=False) as client:
        method = "POST" if "content" in given else "GET"
        return client.request(method, f"http://127.0.0.1:{address[1]}{path}", **given)


def until_logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    end = time.monotonic() + TEST_S
    while text not in caplog.text:
        assert time.monotonic() < end, caplog.text
        time.sleep(0.05)


def answer(connection: socket.socket) -> bytes:
    """Read until the connection is closed."""
    read = b""
    while part := _part(connection):
        read += part
    return read


def _part(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def test_half_requests_never_keep_another_request_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), serving() as address, ExitStack() as held:
        found = set()
        for number in range(120):
            held.enter_context(opened(address, HALF))
            if number % 10 == 9:
                found.add(asked(address).status_code)
        until_logged(caplog, "made room for others from 127.0.0.1")

    assert found == {200}


def test_a_head_may_come_byte_by_byte_and_what_is_none_is_refused_at_once() -> None:
    request = f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    with serving() as address:
        with opened(address, b"") as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for place in range(len(request)):
                one.sendall(request[place : place + 1])
            whole = answer(one)
        with opened(address, b"\x16\x03\x01\x02") as one:
            refused = answer(one)

    assert whole.startswith(b"HTTP/1.1 200 OK")
    assert refused.startswith(b"HTTP/1.1 400 Bad Request")


def test_half_a_request_makes_nothing_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    whole = HttpToolsProtocol.__init__
    monkeypatch.setattr(
        HttpToolsProtocol, "__init__", lambda self, **given: made.append(1) or whole(self, **given)
    )
    with serving() as address, ExitStack() as held:
        for _ in range(20):
            held.enter_context(opened(address, HALF))
        assert asked(address).status_code == 200

    assert len(made) == 1


def test_a_client_beyond_its_connections_loses_the_one_that_waited_longest() -> None:
    with serving() as address, ExitStack() as held:
        first, *others = [held.enter_context(opened(address, HALF)) for _ in range(9)]

        assert answer(first) == b""
        for one in others:
            one.sendall(b"x\r\n\r\n")
            assert one.recv(12) == b"HTTP/1.1 404"


def test_where_all_connections_are_busy_health_alone_is_answered() -> None:
    wanted = b"GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving() as address, ExitStack() as held:
        busy = [held.enter_context(opened(address, wanted)) for _ in range(8)]
        until_busy(address)
        refused, alive = asked(address, "/post", content=b"x"), asked(address)
        twice = f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        with opened(address, twice) as one:
            last = answer(one)
        release.set()
        done = [one.recv(12) for one in busy]

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "All connections of the service are in use" in refused.json()["detail"]
    assert alive.status_code == 200
    assert last.startswith(b"HTTP/1.1 200"), "a connection beyond the cap is closed once answered"
    assert b"connection: close" in last
    assert done == [b"HTTP/1.1 200"] * 8


def until_busy(address: Address) -> None:
    """Wait until the service refuses, so that all it holds are busy."""
    while asked(address, "/post", content=b"x").status_code != 503:
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seconds", "sent"),
    [
        ("HEAD_S", HALF),
        ("HEAD_S", b""),
        ("BODY_S", b"POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf"),
        ("STALL_S", b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ],
    ids=["half a head", "nothing", "half a body", "a response that nobody reads"],
)
def test_who_is_too_slow_is_closed(
    seconds: str, sent: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, seconds, 0.1)
    with caplog.at_level(logging.WARNING), serving() as address, opened(address, sent) as slow:
        until_logged(caplog, "were too slow")
        read = answer(slow)

    assert len(read) < LARGE


def test_between_requests_a_connection_is_closed_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.1)
    with serving() as address:
        request = f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        # A byte of the next request stops the timer that uvicorn has.
        with opened(address, request + b"\r\n") as idle:
            assert b"200 OK" in answer(idle)


@pytest.mark.parametrize(
    "head",
    [
        b"X-Large: " + b"x" * HEAD_BYTES + b"\r\n\r\n",
        b"X-Endless: " + b"x" * 2 * HEAD_BYTES,
        b"X: y\r\n" * HEADERS + b"\r\n",
        b"X: y\r\n" * (HEAD_BYTES // 6),
    ],
    ids=["large", "large and unfinished", "many", "many and unfinished"],
)
def test_a_head_that_is_too_large_is_refused(head: bytes) -> None:
    with serving() as address:
        with opened(address, HALF + b"\r\n" + head) as one:
            read = answer(one)
        after = asked(address)

    assert read.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"application/problem+json" in read
    assert b"Expected at most 32000 bytes and 100 headers" in read
    assert after.status_code == 200


def test_a_large_head_and_a_body_of_many_chunks_pass() -> None:
    usual = len(asked_headers())
    many = {f"x-{number}": "x" * 300 for number in range(HEADERS - usual)}
    with serving() as address:
        assert asked(address, headers=many).status_code == 200
        assert asked(address, headers={**many, "x-more": ""}).status_code == 431
        result = asked(address, "/post", content=iter([b"x"] * 1000))

    assert result.text == "1000"


def asked_headers() -> httpx.Headers:
    return httpx.Client().build_request("GET", "http://localhost:80").headers


def test_a_trailer_without_end_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    head = b"POST /hold HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    endless = b"1\r\nx\r\n0\r\nX: " + b"x" * 1_000_000
    with (
        caplog.at_level(logging.WARNING),
        serving() as address,
        opened(address, head) as one,
    ):
        with suppress(OSError):
            one.sendall(endless)
        until_logged(caplog, "sent too much")


def test_headers_of_a_proxy_are_believed_from_its_address_only() -> None:
    forwarded = {"X-Forwarded-For": "1.2.3.4, 192.0.2.7", "X-Forwarded-Proto": "https"}
    behind = ConnectionLimits(100, 8, 1000, networks_of("PROXIES", "127.0.0.1, 192.0.2.0/24"))
    with serving() as address:
        direct = asked(address, headers=forwarded).text
    with serving(behind) as address, ExitStack() as held:
        proxied = asked(address, headers=forwarded).text
        many = [held.enter_context(opened(address, HALF)) for _ in range(20)]
        for one in many:
            one.sendall(b"x\r\n\r\n")
        statuses = {one.recv(12) for one in many}

    assert (direct, proxied) == ("127.0.0.1 http", "1.2.3.4 https")
    assert statuses == {b"HTTP/1.1 404"}


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::%eth0", "2001:db8:1:2::"),
        ("x" * 60_000, "::"),
        ("", "::"),
    ],
)
def test_a_client_is_an_address_of_few_letters(address: str, client: str) -> None:
    assert client_of(address) == client


@dataclass(eq=False)
class _Busy:
    """As much of a connection as the count of them sees; it never waits."""

    peer: str
    is_reserve: bool = False
    transport: MagicMock = field(default_factory=MagicMock)


def test_the_cap_holds_after_a_connection_found_no_room() -> None:
    held = Connections(ConnectionLimits(RESERVED, 100_000, 1000))
    busy = [_Busy(f"192.0.2.{number}") for number in range(2 * RESERVED)]
    for one in busy:
        held.admit(one)
        held.answer(one)

    late = [_Busy("198.51.100.1") for _ in range(10)]
    for one in late:
        held.admit(one)

    assert all(one.transport.abort.called for one in late)
    assert not any(one.transport.abort.called for one in busy)


def test_a_proxy_with_an_ipv6_address_is_believed_to_stay_for_many() -> None:
    limits = ConnectionLimits(1000, 300, 1000, (ipaddress.ip_network("::1/128"),))

    assert limits.of("::") == 1000
    assert limits.of("2001:db8::") == 300
