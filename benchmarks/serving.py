"""How fast the service answers on the loopback, beside `mlflow models serve`; writes service.md.

Needs the home of a `magnetcast run` (MAGNETCAST_HOME, else var/) with its model registered, and
works on a copy. Takes some fifteen minutes: two hundred scenarios are computed.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import page
import pandas as pd

from models.registry.stored_model import CHAMPION, MODEL
from store.settings import Settings

LOAD: Final = page.HERE / "load.py"
START: Final = "from flows.cli.command_line import main; main()"
CHROMIUM: Final = "chromium"

RATE: Final = 500
AIM_MS: Final = 20
PAGE_RATE: Final = 20
"""Pages a second while scenarios wait."""
PAGES: Final = ("/", "/destinations/USA", "/policy", "/track-record", "/needs")
POSTS: Final = 200
MONTHS: Final = 15
"""Rows that one forecast asks the model for."""
LOADS: Final = 5
READY_S: Final = 300
ANSWER_S: Final = 3600

METHOD: Final = """
Service, mlflow and the generator of requests share the machine's cores. Requests are due at a
steady rate and timed from the moment they were due (benchmarks/load.py), so that a stall counts for
every request it delays. Where no rate is named, each of the connections sends its next request when
the last is answered. Latencies in milliseconds; the service's rate limit is off.
"""
CAUTION: Final = f"""
What mlflow computes on each request the service computed once, at publication: the comparison shows
what a planner's program waits for, not which server is the better one. mlflow gets the rows of
{MONTHS} months, made ready before, and runs the boosters.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table of latencies."""

    what: str
    asked: str
    measured: dict[str, Any]

    def shown(self) -> dict[str, str]:
        numbers = {name: f"{self.measured[name]:.1f}" for name in ("p50", "p99", "p99.9")}
        statuses = ", ".join(f"{n} x {s}" for s, n in sorted(self.measured["statuses"].items()))
        held = f"{self.measured['held']:.0f}"
        return {"what": self.what, "asked a second": self.asked, "answered a second": held,
                **numbers, "statuses": statuses}  # fmt: skip


def load(url: str, *options: str) -> dict[str, Any]:
    command = [sys.executable, str(LOAD), url, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    output: dict[str, Any] = json.loads(done.stdout)
    return output


@contextmanager
def process(
    command: list[str], log: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server as long as it is needed; its output goes to a file."""
    with log.open("wb") as sink:
        started = subprocess.Popen(  # noqa: S603 - our own words
            command, stdout=sink, stderr=sink, env={**os.environ, **environment},
            start_new_session=True,
        )  # fmt: skip
        try:
            yield started
        finally:
            # mlflow starts its server as a child.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGTERM)
            started.wait(timeout=60)


def until_answered(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until an address answers 200.

    Raises:
        SystemExit: It does not.
    """
    end = time.monotonic() + READY_S
    while time.monotonic() < end and server.poll() is None:
        try:
            if httpx.get(url, timeout=10, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{url} does not answer:\n{log.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(home: Path, folder: Path) -> Iterator[str]:
    port, log = free_port(), folder / "serve.log"
    command = [sys.executable, "-c", START, "serve", "--port", str(port)]
    known = {"MAGNETCAST_HOME": str(home), "MAGNETCAST_WHAT_IF_WAITING": "256"}
    known["PYTHONPATH"] = os.pathsep.join(sys.path)
    with process(command, log, known) as server:
        address = f"http://127.0.0.1:{port}"
        until_answered(f"{address}/api/v1/ready", server, log)
        yield address


@contextmanager
def served_by_mlflow(settings: Settings, folder: Path) -> Iterator[str]:
    port, log = free_port(), folder / "mlflow.log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["-m", f"models:/{MODEL}@{CHAMPION}", "-p", str(port)]
    # mlflow looks for uvicorn on PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    known = {"MLFLOW_TRACKING_URI": settings.tracking_uri, "PATH": path}
    with process(command, log, known) as server:
        until_answered(f"http://127.0.0.1:{port}/ping", server, log)
        yield f"http://127.0.0.1:{port}/invocations"


def rows_of_one_forecast(settings: Settings, folder: Path) -> Path:
    """Write the body that asks mlflow for one forecast, of the model's own stored example."""
    import mlflow  # noqa: PLC0415 - takes seconds that the first measurements need not

    mlflow.set_tracking_uri(settings.tracking_uri)
    source = f"models:/{MODEL}@{CHAMPION}/serving_input_example.json"
    found = mlflow.artifacts.download_artifacts(source, dst_path=str(folder))
    split = json.loads(Path(found).read_text(encoding="utf-8"))["dataframe_split"]
    rows = split["data"]
    split = {**split, "data": [rows[place % len(rows)] for place in range(MONTHS)]}
    split.pop("index", None)
    body = folder / "rows.json"
    body.write_text(json.dumps({"dataframe_split": split}), encoding="utf-8")
    return body


async def posted(address: str, count: int) -> tuple[Counter[str], list[float]]:
    """Post distinct scenarios all at once; returns statuses and seconds to each answer."""
    statuses: Counter[str] = Counter()
    seconds: list[float] = []
    limits = httpx.Limits(max_connections=count)

    async def one(client: httpx.AsyncClient, rate: int) -> None:
        step = {"importer": "USA", "rate_pct": rate, "effective_from": "2027-01-01"}
        begun = time.perf_counter()
        try:
            answer = await client.post(
                "/api/v1/scenarios?destination=USA", json={"name": str(rate), "tariffs": [step]}
            )
        except httpx.HTTPError as err:
            statuses[f"lost ({type(err).__name__})"] += 1
            return
        seconds.append(time.perf_counter() - begun)
        again = "" if answer.is_success else f", Retry-After {answer.headers.get('retry-after')}"
        statuses[f"{answer.status_code}{again}"] += 1

    async with httpx.AsyncClient(
        base_url=address, timeout=ANSWER_S, limits=limits, trust_env=False
    ) as client:
        await asyncio.gather(*(one(client, rate) for rate in range(1, count + 1)))
    return statuses, sorted(seconds)


async def crowded(address: str, seconds: float, count: int) -> tuple[list[Line], list[str]]:
    """Fetch pages while scenarios wait; returns their rows and how the posts ended."""
    posts = asyncio.create_task(posted(address, count))
    await asyncio.sleep(3)
    options = ("--rate", str(PAGE_RATE), "--seconds", str(seconds))
    lines = [
        Line(f"{path} while {count} scenarios wait", str(PAGE_RATE),
             await asyncio.to_thread(load, address + path, *options))
        for path in PAGES
    ]  # fmt: skip
    waiting = httpx.get(f"{address}/api/v1/metrics", trust_env=False, timeout=60).text
    left = re.search(r"^magnetcast_what_if_waiting (\S+)", waiting, re.MULTILINE)
    begun = time.perf_counter()
    statuses, took = await posts
    result = "; ".join(f"{count} answered {status}" for status, count in sorted(statuses.items()))
    middle = took[len(took) // 2]
    tail = f"first {took[0]:.0f}, median {middle:.0f}, last {took[-1]:.0f}"
    return lines, [
        f"""{count} different scenarios posted at once, each over a connection of its own: {result}.
        Seconds to an answer: {tail}. When the last page was fetched {left[1] if left else "none"}
        still waited; the last was answered {time.perf_counter() - begun:.0f} s later."""
    ]


def first_loads(address: str) -> list[float]:
    """Return seconds until the overview is loaded in Chromium, each time with an empty cache."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - where there is a browser

    found = []
    path = shutil.which(CHROMIUM)
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=options)
        for _ in range(LOADS):
            context = browser.new_context(base_url=address)
            context.set_default_timeout(1000 * READY_S)
            opened = context.new_page()
            opened.goto("/", wait_until="load")
            found.append(
                float(opened.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            )
            context.close()
        browser.close()
    return [milliseconds / 1000 for milliseconds in found]


def measured(asked: argparse.Namespace, folder: Path) -> list[str]:
    settings = Settings()
    home = folder / "home"
    shutil.copytree(settings.home, home)
    body = rows_of_one_forecast(settings, folder)
    seconds = ("--seconds", str(asked.seconds))
    lines, low = [], asked.low_rate
    with served(home, folder) as address:
        loads = first_loads(address) if shutil.which(CHROMIUM) else []
        forecast = f"{address}/api/v1/forecasts/USA"
        load(forecast, "--rate", "50", "--seconds", "3")
        name = "service, GET /api/v1/forecasts/USA"
        for rate in (RATE, low):
            predicted = load(forecast, "--rate", str(rate), *seconds)
            lines.append(Line(name, str(rate), predicted))
        lines.append(
            Line(f"{name}, 16 connections", "most", load(forecast, "--connections", "16", *seconds))
        )
        pages, posts = asyncio.run(crowded(address, asked.seconds, asked.posts))
    with served_by_mlflow(settings, folder) as address:
        form = ("--body", str(body))
        load(address, *form, "--rate", "2", "--seconds", "3")
        name = "mlflow models serve, one forecast"
        lines.append(Line(name, str(low), load(address, *form, "--rate", str(low), *seconds)))
        most = load(address, *form, "--connections", "16", *seconds)
        lines.append(Line(f"{name}, 16 connections", "most", most))
    return told_as_page(lines, pages, posts, loads)


def told_as_page(
    lines: list[Line], pages: list[Line], posts: list[str], loads: list[float]
) -> list[str]:
    worst = lines[0].measured["p99"]
    verdict = "kept" if worst <= AIM_MS else "missed"
    one, five, fifteen = os.getloadavg()
    seen = (
        f"First load of the overview in Chromium with an empty cache: {loads[0]:.2f} s, then "
        f"{sorted(loads)[len(loads) // 2]:.2f} s (median of {len(loads)}); aim 2 s."
        if loads
        else "First load of the overview: not measured, no chromium on PATH."
    )
    return [
        *page.heading("How fast the service answers", "make bench-service"),
        f"Load when it ended: {one:.1f}, {five:.1f}, {fifteen:.1f} (1, 5 and 15 minutes).",
        *page.prose(METHOD),
        *page.table(pd.DataFrame([line.shown() for line in lines])),
        f"Aim: p99 <= {AIM_MS} ms at {RATE} requests/s on 2 cores. {worst:.1f} ms: {verdict}.",
        *page.prose(CAUTION),
        "",
        "## Pages while scenarios are computed",
        *page.table(pd.DataFrame([line.shown() for line in pages])),
        *(text for answer in posts for text in page.prose(answer)),
        "",
        "## First load",
        *page.prose(seen),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="Of each measurement.")
    parser.add_argument("--posts", type=int, default=POSTS, help="Scenarios posted at once.")
    parser.add_argument("--low-rate", type=float, default=5.0, help="Requests mlflow surely holds.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page.write("service.md", measured(asked, Path(folder)))


if __name__ == "__main__":
    main()
