"""What the documentation's pages ask their reader to do."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from store.settings import PROJECT_ROOT

DOCS: Final = PROJECT_ROOT / "docs"
FOLLOWED: Final = ("tutorials", "how-to", "explanation")
"""Folders whose pages are followed command by command."""

BLOCK: Final = re.compile(
    r"^```(?P<form>\w+)(?: title=\"(?P<file>[^\"]+)\")?\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
MENTIONED: Final = re.compile(
    r"^(?: {4}(?:\.venv/bin/)?(?=magnetcast)([^\n]+)$|\| `(magnetcast [^`\n]+)`)", re.MULTILINE
)
"""Commands in indented blocks, and in the first column of tables."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page to be followed."""

    path: Path

    @property
    def name(self) -> str:
        """Return the page's address on the site."""
        return str(self.path.relative_to(DOCS).with_suffix(""))

    @property
    def commands(self) -> list[str]:
        """Return the lines of its shell blocks."""
        lines = "".join(self._blocks("sh")).splitlines()
        return [line for line in lines if line]

    @property
    def code(self) -> list[str]:
        """Return its blocks of Python."""
        return self._blocks("python")

    @property
    def files(self) -> dict[str, str]:
        """Return the files it tells its reader to write, by name."""
        found = BLOCK.finditer(self.path.read_text(encoding="utf-8"))
        return {block["file"]: block["text"] for block in found if block["file"]}

    def _blocks(self, form: str) -> list[str]:
        found = BLOCK.finditer(self.path.read_text(encoding="utf-8"))
        return [block["text"] for block in found if block["form"] == form]


def followed() -> list[Page]:
    """Return the pages that are followed, by address."""
    return [Page(path) for folder in FOLLOWED for path in sorted((DOCS / folder).glob("*.md"))]


def mentioned() -> list[tuple[str, str]]:
    """Return every other command of the documentation and where it stands."""
    pages = [PROJECT_ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    return [
        (str(page.relative_to(PROJECT_ROOT)), re.split(r"[#;]", line or cell)[0].strip())
        for page in pages
        for line, cell in MENTIONED.findall(page.read_text(encoding="utf-8"))
    ]
