"""Pages as a machine reads them."""

import re
from html.parser import HTMLParser

import pandas as pd

from publication.pages.destination_pages import destination_page
from publication.planning.planning_file import Planning
from publication.state import Publication
from tests.publication.stores import NOW


class Outline(HTMLParser):
    """What a machine can check of a page: its elements in order, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._is_data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._is_data = tag in {"script", "style"}

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, _: str) -> None:
        self._is_data = False

    def handle_data(self, data: str) -> None:
        if not self._is_data:
            self.text += data

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name in tags]

    @property
    def words(self) -> str:
        """Text with single blanks."""
        return " ".join(self.text.split())


def page_of(
    publication: Publication,
    destination: str,
    *,
    is_first: bool = False,
    planning: Planning | None = None,
    now: pd.Timestamp = NOW,
) -> str:
    """Return the page of a destination, or the first page."""
    about = {"dataset": "{}", "is_first": is_first}
    return destination_page(publication, now, planning or Planning(), destination, **about)


def texts_of(page: str, tag: str) -> list[str]:
    """Return the text of each element of a kind."""
    parts = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", page, re.DOTALL)
    return [Outline(part).words for part in parts]
