"""A published store, its newest publications and its site, each made once for all tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from features.build import DRIVER_MEANINGS
from publication.folder import folder_below, write_folder
from publication.language.phrases import DEFAULT, LANGUAGES
from publication.planning.planning_file import FILE, Planning, read_planning_file
from publication.site import SiteSource, write_site
from publication.state import Memo, Publication
from store.database import open_store, open_to_read
from tests.made_once import made_once
from tests.publication.second_commodity import add_commodity
from tests.publication.stores import NOW, copied, fill_store, publications_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = [
    "browser", "engine", "goods", "home", "in_english", "publication", "published_store", "site",
    "two_goods",
]  # fmt: skip
"""What the conftests of both rooms take over."""

PLANNING = """\
needs:
  - {name: plant, destination: USA, period_from: 2026-12, period_to: 2027-02, tonnes: 900,
     stock: 40, counted_on: 2026-11-20, lead_days: 30}
alert_rules:
  - {name: level, measure: median, points: 5, destination: USA}
"""


@pytest.fixture(scope="session")
def published_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a store with two forecasts; copied, never written."""

    def fill(folder: Path) -> None:
        folder.mkdir()
        fill_store(f"sqlite:///{folder / 'magnetcast.db'}")

    return made_once(tmp_path_factory, "published-store", fill) / "magnetcast.db"


@pytest.fixture
def engine(published_store: Path, tmp_path: Path) -> Iterator[Engine]:
    """A published store of this test's own."""
    opened = open_store(copied(published_store, tmp_path))
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def two_goods(published_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a store with forecasts of two commodities; copied, never written."""

    def fill(folder: Path) -> None:
        engine = open_store(copied(published_store, folder))
        add_commodity(engine)
        engine.dispose()

    return made_once(tmp_path_factory, "two-goods", fill) / published_store.name


@pytest.fixture(scope="session")
def goods(two_goods: Path) -> list[Publication]:
    """Newest publications of two commodities, the magnets first."""
    with open_to_read(f"sqlite:///{two_goods}") as engine:
        return publications_of(engine)


@pytest.fixture(scope="session")
def publication(goods: list[Publication]) -> Publication:
    """Newest publication of the magnets."""
    return goods[0]


def source_of(home: Path, base_url: str = "") -> SiteSource:
    """Return what the site of a home is made from."""
    url = f"sqlite:///{home / 'magnetcast.db'}"
    planning = Planning(read_planning_file(home))
    return SiteSource(url, DRIVER_MEANINGS, planning, NOW, base_url)


@contextmanager
def sites_in_english() -> Iterator[None]:
    """Let what is written within a block have one language, where five would say the same."""
    with pytest.MonkeyPatch.context() as patch:
        for room in ("site", "folder", "pages.render"):
            patch.setattr(f"publication.{room}.LANGUAGES", {DEFAULT: LANGUAGES[DEFAULT]})
        yield


@pytest.fixture
def in_english() -> Iterator[None]:
    """Let a test write pages in English alone."""
    with sites_in_english():
        yield


def write_files(home: Path) -> None:
    """Write the folder of each publication of a home, and its site."""
    source = source_of(home)
    for publication in source.publications():
        for moment in publication.moments:
            one = replace(publication, as_of=moment, memo=Memo())
            write_folder(one, folder_below(home, one.commodity, one.number))
    write_site(source, home, status={"code": 0, "alarms": []})


@pytest.fixture(scope="session")
def home(two_goods: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home with two publications' folders, a firm's planning and a site; nobody writes to it."""

    def fill(folder: Path) -> None:
        copied(two_goods, folder)
        (folder / FILE).write_text(PLANNING)
        write_files(folder)

    return made_once(tmp_path_factory, "home", fill)


@pytest.fixture(scope="session")
def site(home: Path) -> Path:
    """Folder of the site of that home."""
    return home / "site"


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Debian's Chromium; skips where there is none."""
    from tests.publication.chromium_pages import chromium  # noqa: PLC0415 - takes a second

    with chromium() as opened:
        yield opened
