"""What MkDocs cannot know of this project: pages that lie outside ``docs``, and the reference.

The site shows the benchmarks, the changelog and the command line's own help beside the pages
written for it, and a page of docstrings for each room.
"""

import posixpath
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parent.parent
ROOMS: Final = ("store", "sources", "features", "models", "publication", "service", "flows")

LINK: Final = re.compile(r"\[([^\]]*)\]\(((?:\.\./)*)([\w./-]+)(#[\w-]+)?\)")
ELSEWHERE: Final = {"CHANGELOG.md": "changelog.md", "adr": "adr/index.md"}
"""Pages of the repository that have another address on the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not below ``docs`` or are made here."""
    for path, content in _made():
        files.append(File.generated(config, path, content=content))
    for page in sorted((ROOT / "benchmarks").rglob("*.md")):
        path = page.relative_to(ROOT).as_posix()
        files.append(File.generated(config, path, content=page.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Point links that leave ``docs`` at the pages added here; code is named, not linked."""
    source = PurePosixPath("docs", page.file.src_uri)
    if source.parts[1] == "benchmarks":
        source = PurePosixPath(page.file.src_uri)
    return LINK.sub(lambda link: _pointed(link, source), markdown)


def _pointed(link: re.Match[str], source: PurePosixPath) -> str:
    """Return a link of a file of the repository as the site needs it."""
    words, _, _, anchor = link.groups()
    target = posixpath.normpath(source.parent / link[2] / link[3])
    if (ROOT / target).is_file() and not target.endswith((".md", ".png")):
        return f"`{words.strip('`')}`"
    inside = target.removeprefix("docs/")
    if inside == "scenarios":
        return f"`{words}`"
    address = ELSEWHERE.get(inside, "benchmarks/index.md" if inside == "benchmarks" else inside)
    here = posixpath.dirname(str(source).removeprefix("docs/"))
    return f"[{words}]({posixpath.relpath(address, here or '.')}{anchor or ''})"


def _made() -> Iterator[tuple[str, str]]:
    """Yield the address and the text of each page that no file holds."""
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    yield "changelog.md", changes.replace("](docs/", "](")
    yield "adr/index.md", _listed("Why it is built this way", ROOT / "docs" / "adr")
    yield "benchmarks/index.md", _listed("Every figure, measured", ROOT / "benchmarks")
    yield "reference/index.md", _rooms()
    for room in ROOMS:
        yield f"reference/{room}.md", _reference(room)
    yield "reference/commands.md", _commands()


def _listed(title: str, folder: Path) -> str:
    pages = sorted(folder.rglob("*.md"))
    titles = [page.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for page in pages]
    lines = [
        f"- [{name}]({page.relative_to(folder)})" for name, page in zip(titles, pages, strict=True)
    ]
    return "\n".join([f"# {title}", "", *lines, ""])


def _modules(room: str) -> list[str]:
    """Return the modules of a room that say what they are for."""
    paths = sorted((ROOT / room).rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    documented = [path.read_text(encoding="utf-8").startswith('"""') for path in paths]
    return [
        name
        for name, is_documented in zip(names, documented, strict=True)
        if is_documented and not name.endswith("__init__")
    ]


def _rooms() -> str:
    lines = [f"- [{room}]({room}.md): {len(_modules(room))} modules" for room in ROOMS]
    return "\n".join(["# Code", "", "Imports point up in this list only.", "", *lines, ""])


def _reference(room: str) -> str:
    return "\n".join([f"# {room}", "", *(f"::: {name}\n" for name in _modules(room))])


def _commands() -> str:
    """Return the help of every verb, from a process of its own: Prefect logs as it is imported."""
    code = (
        "from flows.cli.command_line import app; "
        "print(app.generate_docs('markdown', recursive=True))"
    )
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout
