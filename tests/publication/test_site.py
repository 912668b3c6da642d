import json
import os
import re
import signal
import subprocess
import sys
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from sqlalchemy import Engine

from publication import site as site_module
from publication.language.phrases import LANGUAGES
from publication.pages.record_pages import policy_page
from publication.pages.render import folder_of
from publication.site import write_pages, write_site
from store.database import open_store
from store.facts.batch import Batch, FileRows
from store.facts.reading import read_events
from store.facts.writing import write_batch
from store.publications.publication_writing import publish_forecasts
from tests.publication.builders import make_drivers, make_forecasts
from tests.publication.fixtures import sites_in_english, source_of, write_files
from tests.publication.pages import Outline
from tests.publication.second_commodity import GOODS, add_commodity
from tests.publication.stores import NEWEST, NOW, publications_of

FINE = {"code": 0, "alarms": []}
PAGES = [
    "index", "destinations/USA", "destinations/WLD", "track-record", "policy", "data",
    "publications", "planning", "goods", "what-if", "stock", f"goods/{GOODS}/index",
]  # fmt: skip
LIVE = {"what-if.csv", "stock.json", "stock.atom", "scenarios"}
"""Addresses that only the service answers."""

ADDRESSES = re.compile(r' (?:href|src|srcset|action|data-library)="([^"]*)"')
ELSEWHERE = ("http:", "https:", "data:", "mailto:")


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def faults_of(root: Path) -> list[tuple[str, str]]:
    """Return the page and the address of every link that leads nowhere or is not relative."""
    return [
        (page.relative_to(root).as_posix(), address)
        for page in root.rglob("*.html")
        for address in map(unescape, ADDRESSES.findall(text_of(page)))
        if not address.startswith(ELSEWHERE) and not leads_somewhere(root, page, address)
    ]


def leads_somewhere(root: Path, page: Path, address: str) -> bool:
    """Tell whether an address is relative, of a file of the site, and of a part that it has."""
    path, _, fragment = address.partition("#")
    path = unquote(path.partition("?")[0])
    target = Path(os.path.normpath(page.parent / path)) if path else page
    if address.startswith("/") or not target.is_relative_to(root):
        return False
    if target.name in LIVE:
        return True
    is_part = not fragment or target.suffix != ".html" or f'id="{fragment}"' in text_of(target)
    return target.exists() and is_part


def test_every_link_of_every_page_in_five_languages_is_relative_and_leads_somewhere(
    site: Path,
) -> None:
    root = site.resolve()

    assert faults_of(root) == []
    names = {path.relative_to(root).as_posix() for path in root.rglob("*.html")}
    for code in LANGUAGES:
        for page in (*PAGES, "destinations/ROW", f"goods/{GOODS}/destinations/USA"):
            assert f"{folder_of(code)}{page}.html" in names


def test_every_page_is_reached_from_the_first(site: Path) -> None:
    root, waiting, seen = site.resolve(), [site.resolve() / "index.html"], set[Path]()
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for address in ADDRESSES.findall(text_of(page)):
            path = unquote(unescape(address).partition("#")[0].partition("?")[0])
            target = Path(os.path.normpath(page.parent / path)) if path else page
            target = target / "index.html" if target.is_dir() else target
            if target.suffix == ".html" and not address.startswith(ELSEWHERE) and target.exists():
                waiting.append(target)

    pages = {path for path in root.rglob("*.html") if "embed" not in path.parts}
    assert {path.relative_to(root) for path in pages - seen} == set()


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, site: Path) -> Outline:
    return Outline(text_of(site.resolve() / f"{request.param}.html"))


def test_a_page_loads_nothing_from_elsewhere_and_runs_only_scripts_of_the_folder(
    page: Outline,
) -> None:
    names = {name for name, _ in page.elements}
    assert not names & {"style", "iframe", "object", "embed"}
    for one in page.all("script"):
        is_data = one.get("type") in {"application/json", "application/ld+json"}
        assert is_data or "static/" in (one["src"] or "")
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
    loaded = [one["href"] for one in page.all("link") if one["rel"] != "alternate"]
    loaded += [one["src"] for one in page.all("img")]
    assert all(address and not address.startswith(ELSEWHERE) for address in loaded)


def test_a_page_can_be_read_by_machine(page: Outline) -> None:
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("caption")) == len(page.all("table"))
    assert all("scope" in head for head in page.all("th"))
    ids = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(ids) == len(set(ids))


def test_a_page_bears_the_stamp(site: Path) -> None:
    text = Outline(text_of(site.resolve() / "policy.html")).words

    assert "Newest figure loaded: published on 3 Oct 2026. Published 25 Nov 2026 at 03:00" in text
    assert "Next release expected about 20 Dec 2026, for November 2026" in text


@pytest.mark.parametrize(
    ("code", "name"), [("en", "World"), ("de", "Deutschland"), ("ja", "日本"), ("ko", "대한민국")]
)
def test_the_first_page_is_of_the_country_of_its_language(site: Path, code: str, name: str) -> None:
    text = text_of(site.resolve() / f"{folder_of(code)}index.html")

    assert text.partition("<h1>")[2].startswith(name)


def test_the_first_chart_is_a_picture_before_a_script_draws_it(site: Path) -> None:
    text = text_of(site.resolve() / "destinations/USA.html")
    (picture, *_) = Outline(text).all("img")

    drawn = text_of((site.resolve() / "destinations" / str(picture["src"])).resolve())
    assert drawn.startswith("<svg")
    assert "prefers-color-scheme:dark" in drawn


def test_the_pages_tell_search_engines_of_the_series(site: Path) -> None:
    text = text_of(site.resolve() / "destinations/USA.html")

    about = json.loads(re.findall(r'<script type="application/ld\+json">(.*?)</script>', text)[0])
    assert about["@type"] == "Dataset"
    assert about["temporalCoverage"] == "2026-08/2027-10"


def test_text_from_data_is_shown_and_never_run(engine: Engine) -> None:
    attack = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    event = read_events(engine).tail(1).assign(
        event_id="evil", summary=attack, note=attack, source_urls=f"javascript:alert(3);{attack}"
    )  # fmt: skip
    write_batch(engine, Batch((FileRows("evil", attack, "e" * 64, {"policy_events": event}),)))

    text = policy_page(publications_of(engine)[0], NOW)

    assert "<script>" not in text
    assert "<img src=x" not in text
    assert "javascript:" not in text
    assert "&lt;script&gt;alert(1)" in text


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home of a publication of two destinations, with its site, that tests may write anew."""
    home = tmp_path_factory.mktemp("small")
    engine = open_store(f"sqlite:///{home / 'magnetcast.db'}")
    rows = make_drivers(make_forecasts()).query("destination in ['WLD', 'USA']")
    publish_forecasts(engine, rows, as_of=NEWEST, data_vintage="a")
    engine.dispose()
    with sites_in_english():
        write_files(home)
    return home


def files_in(site: Path) -> dict[str, int]:
    """Return the inode of every file of a site by its path."""
    root = site.resolve()
    return {
        path.relative_to(root).as_posix(): path.stat().st_ino
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("in_english")
def test_an_unchanged_site_is_written_again_by_links_to_its_files(small: Path) -> None:
    before, folder = files_in(small / "site"), (small / "site").resolve()

    write_site(source_of(small), small, status=FINE)

    assert (small / "site").resolve() != folder
    assert files_in(small / "site") == before
    assert {*(small / ".sites").iterdir()} == {folder, (small / "site").resolve()}


@pytest.mark.usefixtures("in_english")
def test_a_failure_while_it_is_written_leaves_the_old_site_whole(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, folder = files_in(small / "site"), (small / "site").resolve()

    def fail(*_: object) -> str:
        raise OSError("disk is full")

    monkeypatch.setattr(site_module, "_index", fail)
    with pytest.raises(OSError, match="disk is full"):
        write_site(source_of(small), small, status=FINE)
    monkeypatch.undo()

    assert (small / "site").resolve() == folder
    assert files_in(small / "site") == before
    write_site(source_of(small), small, status=FINE)
    assert {*(small / ".sites").iterdir()} == {folder, (small / "site").resolve()}


@pytest.mark.usefixtures("in_english")
def test_for_another_host_it_has_whole_addresses_in_feeds(small: Path, tmp_path: Path) -> None:
    base = "https://magnets.example.org"

    write_pages(source_of(small, base), tmp_path, small, old=None, status=FINE, processes=1)

    assert faults_of(tmp_path.resolve()) == []
    assert json.loads((tmp_path / "api/v1/index.json").read_text())["base_url"] == base
    feed = (tmp_path / "destinations/USA.atom").read_text()
    assert f'href="{base}/destinations/USA.html"' in feed
    assert f"{base}/publications/" in text_of(tmp_path / "destinations/USA.html")


@pytest.mark.slow
@pytest.mark.usefixtures("in_english")
def test_a_home_with_a_partner_table_alone_has_a_site(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'magnetcast.db'}"
    engine = open_store(url)
    add_commodity(engine)
    engine.dispose()

    write_files(tmp_path)

    root = (tmp_path / "site").resolve()
    assert GOODS in text_of(root / "index.html")
    assert (root / "destinations/USA.html").is_file()
    assert not (root / "goods.html").exists()
    assert not (root / "planning.html").exists()
    assert faults_of(root) == []
    index = json.loads((root / "api/v1/index.json").read_text())
    assert index["publications"][0]["commodity"] == GOODS


KILLED = """
import os, signal, sys
from pathlib import Path
from publication import site
from tests.publication.fixtures import sites_in_english, source_of

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

site._take_over = killed
if __name__ == "__main__":
    home = Path(sys.argv[1])
    with sites_in_english():
        site.write_site(source_of(home), home, status={})
"""


@pytest.mark.slow
@pytest.mark.usefixtures("in_english")
def test_a_kill_while_it_is_written_leaves_the_old_site_whole(small: Path, tmp_path: Path) -> None:
    before, folder = files_in(small / "site"), (small / "site").resolve()
    (tmp_path / "killed.py").write_text(KILLED)
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), *sys.path])}

    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, str(tmp_path / "killed.py"), str(small)], env=variables, check=False
    )

    assert done.returncode == -signal.SIGKILL
    assert files_in(small / "site") == before
    assert (small / "site").resolve() == folder
    write_site(source_of(small), small, status=FINE)
    assert files_in(small / "site") == before
    assert {*(small / ".sites").iterdir()} == {folder, (small / "site").resolve()}
