"""The site: the newest publications in five languages, as files that open without a server.

It is written beside the one that is shown and takes its place at once. Files that did not change
are those of the old one; past publications are linked, never written again.
"""

import filecmp
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from publication.charts.chart import bundle, still
from publication.data_files import (
    FORECAST_LICENCE,
    destination_file,
    json_of,
    publication_files,
    schema_dataset,
    site_files,
)
from publication.feeds import calendar_of, destination_feed, digest_of, publications_feed
from publication.folder import PUBLICATIONS, link_tree, remove_folder, write_text
from publication.language.phrases import LANGUAGES, gettext, in_language
from publication.pages.destination_pages import destination_page, first_destination, planning_page
from publication.pages.page_charts import PageChart, page_chart
from publication.pages.record_pages import (
    data_page,
    goods_page,
    policy_page,
    publications_page,
    track_page,
)
from publication.pages.render import (
    ICON,
    LIBRARY,
    SCRIPTS,
    STYLES,
    finished,
    folder_of,
    page,
    script,
    stylesheet,
)
from publication.planning.planning_file import Planning
from publication.state import Publication, newest_publications
from publication.tables import json_text
from publication.words import name_of, slug_of
from store.database import open_to_read
from store.errors import DataError
from store.processes import worker_pool

SITE: Final = "site"
"""Link in the home to the site that is shown."""

_SITES: Final = ".sites"
"""Folder in the home of the site that is shown and the one being written."""

_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#00507d" d="M2 2h4v6'
    'a2 2 0 0 0 4 0V2h4v6a6 6 0 0 1-12 0z"/><path fill="#d55e00" d="M2 2h4v3H2zm8 0h4v3h-4z"/>'
    "</svg>"
)


@dataclass(frozen=True, slots=True)
class SiteSource:
    """What a site is made from; can be sent to another process."""

    url: str
    """Of the database."""
    meanings: Mapping[str, str]
    """Meaning of each driver, in words."""
    planning: Planning
    read_at: pd.Timestamp
    base_url: str = ""
    """Where the site will lie; empty where that is not known."""
    state: str = ""
    """Digest of what the site is made from."""

    def publications(self) -> list[Publication]:
        """Newest publication of each commodity, the magnets first."""
        with open_to_read(self.url) as engine:
            return newest_publications(engine, meanings=self.meanings, now=self.read_at)


def state_of_site(site: Path) -> str:
    """Digest of what a site was made from; empty where there is none."""
    try:
        index = json.loads((site / "api/v1/index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(index.get("state", ""))


def write_site(
    source: SiteSource, home: Path, *, status: Mapping[str, object], processes: int = 1
) -> Path:
    """Write the site of a home and show it in the place of the old one.

    Args:
        status: State of the installation, for ``api/v1/status.json``.
        processes: That share the languages.

    Returns:
        The link ``home/site``.
    """
    sites, shown = home / _SITES, home / SITE
    sites.mkdir(parents=True, exist_ok=True)
    if shown.exists() and not shown.is_symlink():
        raise DataError(
            f"{shown} is a folder that magnetcast did not write. Expected none, or the link to the "
            "site. Move it away; then run `magnetcast site`."
        )
    old = shown.resolve() if shown.is_symlink() else None
    new = Path(tempfile.mkdtemp(dir=sites))
    new.chmod(0o755)
    write_pages(source, new, home, old=old, status=status, processes=processes)
    link = sites / f"{new.name}.link"
    link.symlink_to(new.relative_to(home))
    link.replace(shown)
    for folder in sites.iterdir():
        if folder not in (new, old):  # a reader may be in the middle of the old one
            remove_folder(folder)
    return shown


def write_pages(
    source: SiteSource,
    root: Path,
    home: Path,
    *,
    old: Path | None,
    status: Mapping[str, object],
    processes: int,
) -> None:
    """Write a site into an empty folder.

    Args:
        home: Has the folders of the publications.
        old: A site whose files may be taken over; None where there is none.
    """
    codes = [*LANGUAGES]
    # Languages of one process share what is the same in all; this one writes the data, too.
    shares = [codes[place::processes] for place in range(processes)][::-1]
    with worker_pool(max(processes - 1, 1)) as pool:
        work = [pool.submit(write_languages, source, share, root, old) for share in shares[1:]]
        publications = source.publications()
        _write_languages(source, publications, shares[0], root, old)
        _write_shared(source, publications, root, old, status)
        if (home / PUBLICATIONS).is_dir():
            link_tree(home / PUBLICATIONS, root / PUBLICATIONS)
        for part in work:
            part.result()
    if old is not None:
        _take_over(root, old)


def _take_over(root: Path, old: Path) -> None:
    """Let files that did not change be those of the old site."""
    for path in root.rglob("*"):
        if not path.is_file() or path.stat().st_nlink > 1:
            continue
        before = old / path.relative_to(root)
        if before.is_file() and filecmp.cmp(path, before, shallow=False):
            path.unlink()
            os.link(before, path)


def _write_shared(
    source: SiteSource,
    publications: Sequence[Publication],
    root: Path,
    old: Path | None,
    status: Mapping[str, object],
) -> None:
    """Write what all languages share: styles, scripts and data."""
    write_text(root / STYLES, stylesheet())
    write_text(root / ICON, _ICON)
    for name in SCRIPTS:
        write_text(root / f"static/{name}.js", script(name).decode())
    if old is not None and (old / LIBRARY).is_file():
        os.link(old / LIBRARY, root / LIBRARY)
    else:
        write_text(root / LIBRARY, bundle().decode())
    names = {}
    for publication in publications:
        folder = root / publication.data
        files = [*publication_files(publication), *site_files(publication)]
        for file in files:
            write_text(folder / f"{file.name}.csv", file.csv)
            write_text(folder / f"{file.name}.json", json_of(file, publication))
            names[f"{publication.data}{file.name}"] = file.title
        for code in publication.destinations:
            text, table = destination_file(publication, code)
            write_text(folder / f"destinations/{slug_of(code)}.json", text)
            write_text(folder / f"destinations/{slug_of(code)}.csv", table)
    write_text(root / "api/v1/status.json", json_text(status))
    write_text(root / "api/v1/index.json", _index(source, publications, names))


def _index(
    source: SiteSource, publications: Sequence[Publication], names: Mapping[str, str]
) -> str:
    return json_text(
        {
            "licence": FORECAST_LICENCE,
            "base_url": source.base_url,
            "state": source.state,
            "publications": [
                {
                    "commodity": publication.commodity,
                    "publication": publication.number,
                    "as_of": f"{publication.as_of:%Y-%m-%dT%H:%M:%SZ}",
                    "folder": publication.folder,
                    "data": publication.data,
                    "destinations": [slug_of(code) for code in publication.destinations],
                }
                for publication in publications
            ],
            "files": [
                {"path": f"{name}.{form}", "title": title}
                for name, title in names.items()
                for form in ("json", "csv")
            ],
        }
    )


def write_languages(source: SiteSource, codes: Sequence[str], root: Path, old: Path | None) -> None:
    """Write the pages of some languages; runs in a process of its own."""
    _write_languages(source, source.publications(), codes, root, old)


def _write_languages(
    source: SiteSource,
    publications: Sequence[Publication],
    codes: Sequence[str],
    root: Path,
    old: Path | None,
) -> None:
    for code in codes:
        with in_language(code):
            for path, text in _pages(source, publications, root, old):
                write_text(root / folder_of(code) / path, text)


def _pages(
    source: SiteSource, publications: Sequence[Publication], root: Path, old: Path | None
) -> Iterator[tuple[str, str]]:
    """Yield the path below its language and the content of each file."""
    first, base_url = publications[0], source.base_url
    about: dict[str, Any] = {"base_url": base_url, "is_planned": source.planning.file is not None}
    yield "feed.atom", publications_feed(publications, base_url)
    yield "policy.html", policy_page(first, source.read_at, **about)
    yield "data.html", data_page(first, source.read_at, **about)
    for name, title in (("what-if", gettext("What if")), ("stock", gettext("My stock"))):
        yield (
            f"{name}.html",
            page(
                "live.html.j2",
                first,
                read_at=source.read_at,
                path=f"{name}.html",
                title=title,
                **about,
            ),
        )
    if len(publications) > 1:
        yield "goods.html", goods_page(publications, source.read_at, **about)
    if source.planning.file is not None:
        yield "planning.html", planning_page(publications, source.read_at, source.planning, **about)
    for publication in publications:
        for path, text in _of_commodity(publication, source, root, old, about):
            yield f"{publication.home}/{path}".lstrip("/"), text


def _of_commodity(
    publication: Publication,
    source: SiteSource,
    root: Path,
    old: Path | None,
    about: Mapping[str, Any],
) -> Iterator[tuple[str, str]]:
    read_at, planning = source.read_at, source.planning
    dataset = schema_dataset(publication, source.base_url)
    for code in publication.destinations:
        fan = page_chart(publication, "fan", code)
        _draw(fan, root, old)
        text = destination_page(publication, read_at, planning, code, dataset=dataset, **about)
        name, digest = slug_of(code), digest_of(text)
        yield f"destinations/{name}.html", text
        yield f"destinations/{name}.txt", digest
        yield (
            f"destinations/{name}.atom",
            destination_feed(publication, code, digest, source.base_url),
        )
        yield f"destinations/{name}.ics", calendar_of(publication, code, read_at)
        yield (
            f"embed/{name}.html",
            finished(
                "embed.html.j2",
                path=f"{publication.home}/embed/{name}.html".lstrip("/"),
                chart=fan,
                name=name_of(code),
                address=f"{publication.home}/destinations/{name}.html",
                origin=source.base_url,
            ),
        )
    code = first_destination(publication)
    yield (
        "index.html",
        destination_page(
            publication, read_at, planning, code, is_first=True, dataset=dataset, **about
        ),
    )
    _draw(page_chart(publication, "outcome", publication.destinations[0]), root, old)
    yield "track-record.html", track_page(publication, read_at, **about)
    yield "publications.html", publications_page(publication, read_at, **about)


def _draw(chart: PageChart | None, root: Path, old: Path | None) -> None:
    """Picture of the first chart of a page, drawn once."""
    if chart is None or (path := root / chart.still).exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if old is not None and (old / chart.still).is_file():
        os.link(old / chart.still, path)
        return
    write_text(path, still(chart.chart.document))
