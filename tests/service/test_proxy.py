"""The site and the service behind nginx and Caddy as the samples in deploy/ set them up."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from store.settings import PROJECT_ROOT
from tests.helpers import free_port
from tests.service.scenario_service import online

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WAIT_S = 60

pytestmark = pytest.mark.slow


async def who(request: Request) -> Response:
    await request.body()
    return PlainTextResponse(f"{request.client.host} {request.headers['host']}")


@pytest.fixture
def behind() -> Iterator[str]:
    """Address of a small app, served as ours is."""
    paths = ("/health", "/stock", "/api/v1/scenarios", "/")
    routes = [Route(path, who, methods=["GET", "POST"]) for path in paths]
    with online(Starlette(routes=routes)) as address:
        yield address


@pytest.fixture
def nginx(tmp_path: Path, behind: str, site: Path) -> Iterator[int]:
    port, conf = free_port(), tmp_path / "nginx.conf"
    text = (PROJECT_ROOT / "deploy" / "nginx.conf").read_text()
    text = re.sub(r"listen 8080", f"listen 127.0.0.1:{port}", text)
    text = text.replace("/var/lib/magnetcast/site", str(site))
    text = text.replace("http://service:8510", behind)
    user = "user root; " if os.geteuid() == 0 else ""  # it reads folders of this user
    conf.write_text(f"{user}daemon off; pid {tmp_path}/pid; error_log {tmp_path}/log;\n{text}")
    with started(port, "nginx", "-p", str(tmp_path), "-c", str(conf)):
        yield port


@pytest.fixture
def caddy(
    tmp_path: Path, behind: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[int]:
    port = free_port()
    text = (PROJECT_ROOT / "deploy" / "Caddyfile").read_text()
    text = text.replace("\nmagnets.example.org {", f"\nhttp://:{port} {{")
    text = text.replace("@questions 127.0.0.1:8510", f"@questions {behind}")
    text = text.replace("/srv/magnetcast/var/site", str(site))
    conf = tmp_path / "Caddyfile"
    conf.write_text(text.replace("{\n", "{\n\tadmin off\n\tdefault_bind 127.0.0.1\n", 1))
    monkeypatch.setenv("HOME", str(tmp_path))
    with started(port, "caddy", "run", "--adapter", "caddyfile", "--config", str(conf)):
        yield port


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


def asked(port: int, path: str, count: int) -> list[httpx.Response]:
    """Ask as often at once, each over a connection of its own; whoever gets no answer raises."""

    async def ask() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=WAIT_S, trust_env=False, limits=limits) as client:
            address = f"http://127.0.0.1:{port}{path}"
            return await asyncio.gather(*(client.get(address) for _ in range(count)))

    with ThreadPoolExecutor(1) as other:  # Chromium keeps a loop in this thread
        return other.submit(asyncio.run, ask()).result()


def test_nginx_serves_the_files_of_the_site_with_their_types(nginx: int, site: Path) -> None:
    types = {
        "": "text/html", "de/": "text/html", "static/style.css": "text/css",
        "feed.atom": "application/atom+xml", "destinations/USA.ics": "text/calendar",
        "api/v1/forecasts.json": "application/json", "destinations/USA.html": "text/html",
    }  # fmt: skip
    with httpx.Client(base_url=f"http://127.0.0.1:{nginx}", trust_env=False) as client:
        for path, kind in types.items():
            answer = client.get(f"/{path}")

            place = site / path
            assert (
                answer.content == (place / "index.html" if place.is_dir() else place).read_bytes()
            )
            assert answer.headers["content-type"].partition(";")[0] == kind
            assert "script-src 'self';" in answer.headers["content-security-policy"]
        assert client.post("/index.html").status_code in {403, 405}
        assert client.get("/planning.yaml").status_code == 404


def test_the_site_behind_nginx_has_no_fault_in_chromium(nginx: int, browser: "Browser") -> None:
    from tests.publication.chromium_pages import opened  # noqa: PLC0415

    watch = opened(browser, f"http://127.0.0.1:{nginx}")
    watch.page.goto("/destinations/USA.html")
    watch.page.locator("figure.fan svg.marks").wait_for()
    watch.page.context.close()
    assert watch.complaints == []
    assert watch.hosts == {"127.0.0.1"}


@pytest.mark.parametrize("way", ["nginx", "caddy"])
def test_the_proxy_passes_questions_on_and_refuses_what_is_too_much(
    way: str, request: pytest.FixtureRequest
) -> None:
    address = f"http://127.0.0.1:{request.getfixturevalue(way)}"
    with httpx.Client(base_url=address, trust_env=False) as client:
        plain = client.get("/stock", headers={"Host": "magnets.example.org"})
        large = client.post("/stock", content=b"x" * 100_000)
        long = client.get("/stock", headers={"X-Long": "x" * 40_000})

    assert plain.text == "127.0.0.1 magnets.example.org"
    assert large.status_code in (413, 502)  # Caddy 2.6 calls it the service's fault
    assert long.status_code in (400, 431)


def test_too_many_questions_at_once_are_refused_and_pages_are_not(nginx: int) -> None:
    questions, pages = asked(nginx, "/stock", 60), asked(nginx, "/", 60)

    assert set(Counter(answer.status_code for answer in questions)) == {200, 429}
    assert {answer.status_code for answer in pages} == {200}


@pytest.mark.parametrize("way", ["nginx", "caddy"])
def test_half_a_head_is_cut_off_and_keeps_nobody_out(
    way: str, request: pytest.FixtureRequest
) -> None:
    port = request.getfixturevalue(way)
    half = [socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) for _ in range(99)]
    for one in half:
        one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: ")

    answer = httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)

    assert answer.status_code == 200
    for one in half:
        assert one.recv(1) in (b"", b"H")  # closed, or first answered that it took too long
        one.close()
