"""Pictures of the planners' pages in the documentation, through Chromium; `make pictures`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.context.console import echo
from store.settings import PROJECT_ROOT

CHROMIUM: Final = "chromium"
START: Final = "from flows.cli.command_line import main; main()"
PATIENCE_MS: Final = 600_000


@dataclass(frozen=True, slots=True)
class Screen:
    """One picture: the head of a page."""

    name: str
    path: str
    scheme: str
    width: int
    height: int = 900


SCREENS: Final = (
    Screen("page_overview.png", "/destinations/USA.html", "light", 1280),
    Screen("page_phone.png", "/destinations/USA.html", "dark", 390, 1440),
    Screen(
        "page_what_if_dark.png",
        "/what-if.html?destination=USA&tariffs.0.importer=USA&tariffs.0.rate_pct=60"
        "&tariffs.0.effective_from=2027-01",
        "dark",
        1280,
    ),
)


def draw(folder: Path) -> str:
    """Draw what is published in the home; returns what was done, or why nothing was."""
    found = shutil.which(CHROMIUM)
    if found is None:
        return "no chromium on PATH: the pictures of the pages stay as they are"
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - of the tests' packages
    except ImportError:
        return "no playwright: the pictures of the pages stay as they are"
    with served() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for screen in SCREENS:
            page = browser.new_page(
                base_url=address,
                color_scheme=screen.scheme,  # type: ignore[arg-type]  # light or dark
                viewport={"width": screen.width, "height": screen.height},
            )
            page.set_default_timeout(PATIENCE_MS)
            answer = page.goto(screen.path)
            if answer is None or not answer.ok:
                return f"{screen.path} is not shown: the pictures of the pages stay as they are"
            page.locator("figure[data-drawn] figcaption").first.wait_for()
            page.screenshot(path=folder / screen.name)
        page = browser.new_page(
            base_url=address, viewport={"width": 760, "height": 600}, device_scale_factor=2
        )
        page.goto("/embed/USA.html")
        page.locator("figure[data-drawn] figcaption").wait_for()
        page.locator("figure[data-drawn] svg.marks").screenshot(
            path=folder / "fan_USA.png", timeout=PATIENCE_MS
        )
        browser.close()
    return f"drew {', '.join(screen.name for screen in SCREENS)}"


@contextmanager
def served() -> Iterator[str]:
    """Serve the home on a free port and yield the address."""
    command = [sys.executable, "-c", START, "serve", "--port", "0"]
    patient = {**os.environ, "MAGNETCAST_WHAT_IF_SECONDS": "600"}
    process = subprocess.Popen(  # noqa: S603 - ours
        command, stderr=subprocess.PIPE, text=True, env=patient
    )
    try:
        said = process.stderr.readline() if process.stderr else ""
        found = re.search(r"http://\S+(?=/ )", said)
        if found is None:
            raise SystemExit(f"The service does not start: {said}")
        yield found.group()
    finally:
        process.terminate()
        process.communicate()


if __name__ == "__main__":
    echo(f"docs      {draw(PROJECT_ROOT / 'docs' / 'pictures')}")
