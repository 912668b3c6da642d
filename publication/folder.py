"""The folder of a publication: its page, its data and their digests, written once."""

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from publication.charts.chart import COLOURS, DARK_COLOURS
from publication.data_files import (
    DataFile,
    data_package,
    destination_file,
    json_of,
    publication_files,
    schema_dataset,
    workbook,
)
from publication.language.phrases import (
    DEFAULT,
    LANGUAGES,
    TAGS,
    gettext,
    in_language,
    language,
    tag_of,
)
from publication.pages.render import folder_of, template_of, with_heads
from publication.queries.explanation_sentences import run_sentence
from publication.queries.freshness import freshness_of
from publication.queries.listings import suspicious, unknowns
from publication.state import Publication
from publication.words import (
    full_goods_name,
    in_reading_order,
    name_of,
    rendered,
    slug_of,
    statement_words,
)
from store.archive import write_sums
from store.messages import Message
from store.publications.explanations import StoredExplanation, runs_of

PUBLICATIONS: Final = "publications"
"""Below the home, and below a site."""


def folder_below(home: Path, commodity: str, number: int) -> Path:
    """Folder of a publication below a home."""
    return home / PUBLICATIONS / slug_of(commodity) / str(number)


def write_folder(
    publication: Publication,
    folder: Path,
    *,
    notes: Sequence[Message] = (),
    is_held: bool = False,
    is_written_later: bool = False,
) -> None:
    """Write the folder of the newest publication of a state, whole or not at all.

    It appears by a rename and is read-only from then on; one that is there stays as it is. The same
    input gives the same bytes.

    Args:
        notes: What is odd about the figures.
        is_held: Whether it awaits a person's approval.
        is_written_later: Whether it is made from the database, long after it was published.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as scratch:
        root = Path(scratch) / "publication"
        root.mkdir()
        files = publication_files(publication)
        for file in files:
            write_text(root / f"{file.name}.csv", file.csv)
            write_text(root / f"{file.name}.json", json_of(file, publication))
        for code in publication.destinations:
            text, table = destination_file(publication, code)
            write_text(root / f"destinations/{slug_of(code)}.json", text)
            write_text(root / f"destinations/{slug_of(code)}.csv", table)
        write_text(root / "datapackage.json", data_package(publication, files))
        (root / "forecast.xlsx").write_bytes(workbook(publication, files))
        for code in LANGUAGES:
            with in_language(code):
                page = _page(
                    publication, files, notes, is_held=is_held, is_written_later=is_written_later
                )
            write_text(root / folder_of(code) / "index.html", page)
        write_sums(root, sorted(_names(root)))
        seal(root)
        root.rename(folder)


def _names(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]


def write_text(path: Path, text: str) -> None:
    """Write a file, with the folder that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="")


def seal(folder: Path) -> None:
    """Leave the files of a folder to be read only."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o444)


def remove_folder(folder: Path) -> None:
    """Remove a folder of files that are read only."""
    shutil.rmtree(folder, ignore_errors=True)


def link_tree(source: Path, target: Path) -> None:
    """Show the files of a folder in another, without a copy where the disk allows it."""

    def link(old: str, new: str) -> str:
        try:
            os.link(old, new)
        except OSError:
            shutil.copy2(old, new)
        return new

    copy: Callable[[str, str], str] = link
    shutil.copytree(source, target, copy_function=copy, dirs_exist_ok=True)


def _page(
    publication: Publication,
    files: Sequence[DataFile],
    notes: Sequence[Message],
    *,
    is_held: bool,
    is_written_later: bool,
) -> str:
    """Page of a publication, whole in itself, in the language in use."""
    code, rows = language(), publication.latest
    months = {
        str(name): group.set_index("period")[["p10", "p50", "p90"]].to_dict("index")
        for name, group in rows.groupby("destination")
    }
    labels = publication.published.labels
    with in_language(DEFAULT):
        english = full_goods_name(publication.commodity, labels)
    up = "" if code == DEFAULT else "../"
    text = template_of("publication.html.j2").render(
        code=code, tag=tag_of(code), tags=TAGS, languages=LANGUAGES, up=up,
        others_of_page={name: f"{up}{folder_of(name)}index.html" for name in LANGUAGES},
        colours=COLOURS, dark_colours=DARK_COLOURS,
        publication=publication,
        fresh=freshness_of(publication, now=publication.as_of),
        goods=full_goods_name(publication.commodity, labels), goods_in_english=english,
        dataset=schema_dataset(publication, ""),
        files=files, is_held=is_held, is_written_later=is_written_later,
        periods=sorted(set(rows["period"])),
        lines=[(name_of(name), months[name]) for name in in_reading_order(months)],
        lists=_lists(publication, notes),
    )  # fmt: skip
    return with_heads(text)


def _lists(publication: Publication, notes: Sequence[Message]) -> list[tuple[str, str, list[str]]]:
    """Id, title and sentences of what stands below the table."""
    explained = publication.published.explanation or StoredExplanation()
    periods = sorted(set(publication.latest["period"]))[:1]
    figures = [
        run_sentence(run, publication.destinations[0], periods)
        for run in runs_of(explained.figures)
    ]
    odd = [statement_words(row["statement"]) for row in suspicious(publication)]
    return [
        ("changed", gettext("Figures published since the forecast before"), figures),
        ("unknowns", gettext("What this forecast could not know"), unknowns(publication)),
        ("notes", gettext("Notes on the figures"), [rendered(note) for note in notes]),
        ("suspicious", gettext("Inconsistent published figures"), odd),
    ]
