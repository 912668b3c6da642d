"""What the tests of the pages in Chromium share."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.service.serve_process import serving
from tests.service.stores import copied

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.service.chromium_pages import Watch


@pytest.fixture(scope="module")
def address(published_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service with the published store."""
    home = tmp_path_factory.mktemp("browsed")
    copied(published_store, home)
    with serving(home) as (found, _):
        yield found


@pytest.fixture
def watch(browser: "Browser", address: str) -> "Iterator[Watch]":
    """A browser whose complaints and hosts are noted."""
    from tests.service.chromium_pages import opened  # noqa: PLC0415 - Playwright takes a second

    watch = opened(browser, address)
    yield watch
    watch.page.context.close()
