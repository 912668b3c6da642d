"""Debian's Chromium, and a page that notes all it asks for or complains of."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = "MAGNETCAST_TEST_CHROMIUM"
"""Names the browser to test with; where it is set, one that is missing is a failure."""

PATIENCE_S = 90
"""Far more than a page takes on a machine under load; what is not there then never comes."""

OPTIONS = [
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]


class Watch:
    """A page, and all that it asked for or complained of."""

    def __init__(self, context: BrowserContext) -> None:
        self.hosts: set[str | None] = set()
        self.complaints: list[str] = []
        context.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        context.on("console", lambda message: self._hear(message.type, message.text))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.page = context.new_page()

    def _hear(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)


def opened(browser: Browser, address: str, **options: object) -> Watch:
    context = browser.new_context(base_url=address, **options)
    context.set_default_timeout(1000 * PATIENCE_S)
    return Watch(context)


def serious_faults(
    page: Page, schemes: Sequence[Literal["light", "dark"]] = ("light", "dark")
) -> list[str]:
    """Return the faults of accessibility, however minor, in light and in dark colours."""
    found = []
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        # The script comes over the driver's own channel: the page's policy allows none.
        only = None if scheme == schemes[0] else {"runOnly": ["color-contrast"]}
        faults = Axe().run(page, options=only).response["violations"]
        found += [f"{scheme}: {fault['id']}: {fault['nodes'][0]['html'][:200]}" for fault in faults]
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    wanted = os.environ.get(CHROMIUM)
    found = shutil.which(wanted or "chromium")
    if found is None and wanted is None:
        pytest.skip("no chromium on PATH; on Debian: apt-get install chromium")
    assert found, f"{CHROMIUM}={wanted} is not there"
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=OPTIONS)
        yield opened
        opened.close()
