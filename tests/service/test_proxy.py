"""The service behind nginx and Caddy as the samples in deploy/ set them up."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from store.settings import PROJECT_ROOT

WAIT_S = 60

pytestmark = pytest.mark.slow


async def who(request: Request) -> Response:
    await request.body()
    return PlainTextResponse(f"{request.client.host} {request.headers['host']}")


@pytest.fixture
def behind() -> Iterator[int]:
    """Port of a small app, served as ours is."""
    app = Starlette(routes=[Route("/{name:path}", who, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, forwarded_allow_ips="127.0.0.1", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join(WAIT_S)


@pytest.fixture
def nginx(tmp_path: Path, behind: int) -> Iterator[int]:
    port = free_port()
    text = (PROJECT_ROOT / "deploy" / "nginx.conf").read_text()
    text = re.sub(r"listen 8080", f"listen 127.0.0.1:{port}", text)
    text = text.replace("http://service:8510", f"http://127.0.0.1:{behind}")
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/log;\n{text}")
    with started(port, "nginx", "-p", str(tmp_path), "-c", str(conf)):
        yield port


@pytest.fixture
def caddy(tmp_path: Path, behind: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    port = free_port()
    text = (PROJECT_ROOT / "deploy" / "Caddyfile").read_text()
    text = text.replace("\nmagnets.example.org {", f"\nhttp://:{port} {{")
    text = text.replace("127.0.0.1:8510\n}", f"127.0.0.1:{behind}\n}}")
    conf = tmp_path / "Caddyfile"
    conf.write_text(text.replace("{\n", "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n", 1))
    monkeypatch.setenv("HOME", str(tmp_path))
    with started(port, "caddy", "run", "--adapter", "caddyfile", "--config", str(conf)):
        yield port


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def started(port: int, name: str, *words: str) -> Iterator[None]:
    """Run a proxy until the end of the block, once it answers."""
    if (program := shutil.which(name)) is None:
        pytest.skip(f"{name} is not installed")
    with subprocess.Popen([program, *words], env=dict(os.environ)) as proxy:  # noqa: S603 - ours
        until_open(port)
        yield
        proxy.terminate()


def until_open(port: int) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(retries=6)) as client:
        client.get(f"http://127.0.0.1:{port}/", timeout=WAIT_S)


def asked(port: int, count: int) -> list[httpx.Response]:
    """Ask as often at once, each over a connection of its own; whoever gets no answer raises."""

    async def ask() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=WAIT_S, trust_env=False, limits=limits) as client:
            address = f"http://127.0.0.1:{port}/stock.json"
            return await asyncio.gather(*(client.get(address) for _ in range(count)))

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("way", "refused"), [("behind", set()), ("nginx", {429, 503}), ("caddy", set())]
)
def test_four_hundred_at_once_get_an_answer_each(
    way: str, refused: set[int], request: pytest.FixtureRequest
) -> None:
    answers = asked(request.getfixturevalue(way), 400)

    codes = Counter(answer.status_code for answer in answers)
    assert codes[200] > 0
    assert set(codes) - {200} <= refused
    assert all(one.headers["retry-after"] in "15" for one in answers if one.status_code != 200)


@pytest.mark.parametrize(("way", "too_long"), [("nginx", 400), ("caddy", 431)])
def test_the_proxy_names_the_client_and_refuses_what_is_too_much(
    way: str, too_long: int, request: pytest.FixtureRequest
) -> None:
    address = f"http://127.0.0.1:{request.getfixturevalue(way)}"
    with httpx.Client(base_url=address, trust_env=False) as client:
        plain = client.get("/de/stock.html", headers={"Host": "magnets.example.org"})
        large = client.post("/api/v1/scenarios", content=b"x" * 100_000)
        long = client.get("/stock.json", headers={"X-Long": "x" * 40_000})

    assert plain.text == "127.0.0.1 magnets.example.org"
    assert large.status_code in (413, 502)  # Caddy 2.6 calls it the service's fault
    assert long.status_code == too_long


@pytest.mark.parametrize("way", ["nginx", "caddy"])
def test_half_a_head_is_cut_off_and_keeps_nobody_out(
    way: str, request: pytest.FixtureRequest
) -> None:
    port = request.getfixturevalue(way)
    half = [socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) for _ in range(99)]
    for one in half:
        one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: ")

    answer = httpx.get(f"http://127.0.0.1:{port}/stock.json", trust_env=False)

    assert answer.status_code == 200
    for one in half:
        assert one.recv(1) in (b"", b"H")  # closed, or first answered that it took too long
        one.close()
