"""How fast the site is read and questions are answered on the loopback; writes service.md.

Needs the home of a `magnetcast run` (MAGNETCAST_HOME, else var/), and works on a copy. nginx, where
it is installed, serves the same folder. wrk asks (on Debian: apt-get install wrk).
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import httpx
import page
import pandas as pd

from store.settings import Settings

CLI: Final = (str(Path(sys.executable).with_name("magnetcast")),)
SECONDS: Final = 10
READY_S: Final = 120
SCENARIO: Final = (
    '{"name": "60%", "tariffs": [{"importer": "USA", "rate_pct": 60, '
    '"effective_from": "2027-01-01"}]}'
)
JSON: Final = {"Content-Type": "application/json"}
POST: Final = f"""
wrk.method, wrk.body, wrk.headers["Content-Type"] = "POST", '{SCENARIO}', "application/json"
"""
DONE: Final = """
function done(summary, latency, requests)
    local failed = summary.errors
    io.write(string.format('\\n{"held": %f, "p50": %f, "p99": %f, "failed": %d}',
        1e6 * summary.requests / summary.duration, latency:percentile(50) / 1000,
        latency:percentile(99) / 1000,
        failed.status + failed.connect + failed.read + failed.write + failed.timeout))
end
"""
NGINX: Final = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 2;
events {{ worker_connections 1024; }}
http {{
    access_log off; include /etc/nginx/mime.types; client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/a; uwsgi_temp_path {folder}/b;
    scgi_temp_path {folder}/c;
    server {{ listen 127.0.0.1:{port}; root {site}; index index.html; }}
}}
"""


@contextmanager
def process(
    command: tuple[str, ...], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server as long as it is needed."""
    started = subprocess.Popen(  # noqa: S603 - our own words
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **environment}, start_new_session=True,
    )  # fmt: skip
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGTERM)
        started.wait(timeout=60)


def first_answer(url: str) -> float:
    """Return the seconds until an address answers 200."""
    begun = time.perf_counter()
    while time.perf_counter() < begun + READY_S:
        with contextlib.suppress(OSError), urlopen(url, timeout=READY_S):  # noqa: S310 - ours
            return time.perf_counter() - begun
        time.sleep(0.005)
    raise SystemExit(f"{url} does not answer")


def load(url: str, *, connections: int = 32, script: str = "") -> dict[str, float]:
    """Return what wrk measured at an address."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script + DONE)
        file.flush()
        options = f"-t1 -c{connections} -d{SECONDS} --timeout=60 -s"
        command = ["wrk", *options.split(), file.name, url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    output: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return output


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def once(begun: float) -> dict[str, float]:
    """Return the time since then, of one answer."""
    milliseconds = 1000 * (time.perf_counter() - begun)
    return {"held": 1, "p50": milliseconds, "p99": milliseconds, "failed": 0}


def row(what: str, measured: Mapping[str, float]) -> dict[str, str]:
    times = {name: f"{measured[name]:.1f}" for name in ("p50", "p99")}
    failed = f"{measured['failed']:.0f}"
    return {"what": what, "answered a second": f"{measured['held']:.0f}", **times, "failed": failed}


def of_service(home: Path) -> Iterator[dict[str, str]]:
    """Yield what was measured of the built-in server."""
    port = free_port()
    known, address = {"MAGNETCAST_HOME": str(home)}, f"http://127.0.0.1:{port}"
    serve = (*CLI, "serve", "--port", str(port))
    for what in ("start to first page", "start to first page, again"):
        begun = time.perf_counter()
        with process(serve, known):
            first_answer(f"{address}/")
            yield row(what, once(begun))
    with process(serve, known):
        first_answer(f"{address}/")
        yield row("page", load(f"{address}/destinations/USA.html"))
        with process((*CLI, "site"), known):
            yield row("page, while the site is written anew", load(f"{address}/index.html"))
        stock = f"{address}/stock.json?destination=DEU&tonnes=20&stock=30"
        first_answer(stock)
        yield row("stock question", load(stock, connections=4))
        scenario, begun = f"{address}/api/v1/scenarios", time.perf_counter()
        httpx.post(scenario, content=SCENARIO, headers=JSON, timeout=READY_S).raise_for_status()
        yield row("first scenario, with the start of its process", once(begun))
        yield row("the same scenario", load(scenario, connections=4, script=POST))


def of_nginx(home: Path, folder: Path) -> Iterator[dict[str, str]]:
    """Yield what was measured of nginx over the same folder."""
    if shutil.which("nginx") is None:
        return
    port, site = free_port(), (home / "site").resolve()
    folder.chmod(0o755)
    subprocess.run(["chmod", "-R", "a+rX", str(home)], check=True)  # noqa: S603, S607
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, site=site), encoding="utf-8")
    with process(("nginx", "-c", str(config)), {}):
        address = f"http://127.0.0.1:{port}/destinations/USA.html"
        first_answer(address)
        yield row("page, nginx", load(address))


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "home"
        shutil.copytree(Settings().home, home, symlinks=True)
        rows = [*of_service(home), *of_nginx(home, Path(scratch))]
    lines = page.heading("The service", "make bench-service")
    method = (
        "Server and wrk share the machine's cores. Each of 32 connections, 4 of questions, sends "
        "its next request when the last is answered. Latencies in milliseconds."
    )
    page.write("service.md", [*lines, *page.prose(method), *page.table(pd.DataFrame(rows))])


if __name__ == "__main__":
    main()
