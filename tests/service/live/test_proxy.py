"""The service behind nginx as deploy/nginx.conf sets it up."""

import re
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from service.http.limits import server_config
from store.settings import PROJECT_ROOT

NGINX = shutil.which("nginx")
WAIT_S = 60

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]


async def who(request: Request) -> Response:
    return PlainTextResponse(f"{request.client.host} {request.headers['host']}")


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[int]:
    """Port of nginx in front of a small app."""
    app = Starlette(routes=[Route("/", who, methods=["GET", "POST"])])
    server = uvicorn.Server(server_config(app, "127.0.0.1"))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_server(("127.0.0.1", 0)) as free,
    ):
        port, behind = free.getsockname()[1], listener.getsockname()[1]
        free.close()
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        text = (PROJECT_ROOT / "deploy" / "nginx.conf").read_text()
        text = re.sub(r"listen 8080", f"listen 127.0.0.1:{port}", text)
        text = text.replace("http://service:8510", f"http://127.0.0.1:{behind}")
        text = text.replace("client_header_timeout 10s", "client_header_timeout 1s")
        conf = tmp_path / "nginx.conf"
        conf.write_text(f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/log;\n{text}")
        command = [str(NGINX), "-p", str(tmp_path), "-c", str(conf)]
        with subprocess.Popen(command) as nginx:  # noqa: S603 - our own words
            until_open(port)
            yield port
            nginx.terminate()
        server.should_exit = True
        thread.join(WAIT_S)


def until_open(port: int) -> None:
    end = time.monotonic() + WAIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return


def test_the_proxy_names_the_client_and_refuses_what_is_too_much(proxied: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{proxied}", trust_env=False) as client:
        plain = client.get("/", headers={"Host": "magnets.example.org"})
        large = client.post("/", content=b"x" * 100_000)
        long = client.get("/", headers={"X-Long": "x" * 40_000})
        often = [client.get("/") for _ in range(400)]

    assert plain.text == "127.0.0.1 magnets.example.org"
    assert (large.status_code, long.status_code) == (413, 400)
    codes = Counter(answer.status_code for answer in often)
    assert set(codes) == {200, 429}
    assert {one.headers["retry-after"] for one in often if one.status_code == 429} == {"1"}


def test_half_a_head_is_cut_off_and_keeps_nobody_out(proxied: int) -> None:
    half = [socket.create_connection(("127.0.0.1", proxied), timeout=WAIT_S) for _ in range(99)]
    for one in half:
        one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: ")

    answer = httpx.get(f"http://127.0.0.1:{proxied}/", trust_env=False)

    assert answer.status_code == 200
    for one in half:
        assert one.recv(1) in (b"", b"H")  # closed, or first told that it took too long
        one.close()
