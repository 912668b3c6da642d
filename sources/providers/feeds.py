"""Feeds of the White House and of US customs: actions and messages on trade, for review only."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import ClassVar, Final
from xml.etree import ElementTree as ET

import pandas as pd

from sources.http import HttpClient, HttpSource, MonthRange
from sources.providers.rows import Proposal, proposals, proposed_coverage
from store.errors import SourceError
from store.facts.batch import FileRows

_TYPE: Final = "application/rss+xml"
_TEXT: Final = "{http://purl.org/rss/1.0/modules/content/}encoded"
_GOODS: Final = re.compile(
    r"rare[- ]earths?|permanent magnets?|neodymium|samarium|critical minerals?|8505\.11",
    re.IGNORECASE,
)
_CHINA: Final = re.compile(r"\b(?:China|Chinese|PRC|Hong Kong)\b")
_DUTIES: Final = re.compile(
    r"\b(?:tariffs?|duty|duties|Section 301|export controls?)\b", re.IGNORECASE
)
_HEADING: Final = re.compile(r"\b9903\.\d\d\.\d\d\b")
_MESSAGE: Final = re.compile(r"CSMS\s*#\s*(\d+)")


@dataclass(frozen=True, slots=True)
class _Item:
    key: str
    title: str
    url: str
    published: pd.Timestamp
    """Day in UTC, never before the one at Washington."""
    text: str

    @property
    def goods(self) -> list[str]:
        return sorted({match.lower() for match in _GOODS.findall(self.text)})

    @property
    def is_watched(self) -> bool:
        on_trade = _CHINA.search(self.text) and _DUTIES.search(self.text)
        return bool(self.goods or on_trade)


@dataclass(frozen=True, slots=True)
class _Feed(HttpSource):
    issuer: ClassVar[str]
    wanted: ClassVar[str]
    path: ClassVar[str] = "/"
    pages: ClassVar[int] = 1
    """Pages that are read, about a month each; the Federal Register has older actions."""

    def fetch(self, span: MonthRange, *, ingested_at: pd.Timestamp) -> FileRows:
        """Entries on magnets, or on duties and China; as ``HttpSource.fetch``."""
        with self.client() as http:
            items = self._items(http, span)
        first = min(item.published for item in items)
        away = f"{self.wanted} before {first:%Y-%m-%d}: not read"
        watched = [
            Proposal(item.key, item.title, item.url, item.published, self._facts(item))
            for item in {item.key: item for item in items}.values()
            if span.begin <= item.published <= span.end and item.is_watched
        ]
        return self.file(
            span,
            http,
            {"proposals": proposals(watched, source=self.id, ingested_at=ingested_at)},
            wanted=f"{self.wanted} on magnets, or on duties and China",
            ignored=(away,) if first > span.begin else (),
        )

    def _items(self, http: HttpClient, span: MonthRange) -> list[_Item]:
        items: list[_Item] = []
        for page in range(1, self.pages + 1):
            params = [("paged", str(page))] if self.pages > 1 else []
            page_items = http.get(self.path, params, read=_read, accept=_TYPE)
            if not page_items:
                raise SourceError(
                    f"{self.id} answers without entries, at {self.url}{self.path}. Expected "
                    f"{self.wanted}. Open the address in a browser: it may have moved; enter an "
                    "act with `magnetcast ingest events FILE`. Nothing was taken over."
                )
            items += page_items
            if min(item.published for item in items) < span.begin:
                break
        return items

    def _facts(self, item: _Item) -> Mapping[str, object]:
        return {
            "citation": item.key if item.key != item.url else item.title,
            "issuer": self.issuer,
            "products": "; ".join(item.goods),
            **proposed_coverage(item.title, item.text),
            "headings": sorted(set(_HEADING.findall(item.text))),
        }


class WhiteHouse(_Feed):
    """Presidential actions, days before the Federal Register prints them."""

    id = provider = "white_house"
    issuer, wanted = "White House", "presidential actions"
    pages = 3


class CustomsMessages(_Feed):
    """Messages of US customs to importers (CSMS): from when and on what a duty is paid."""

    id = provider = "cbp"
    issuer, wanted = "U.S. Customs and Border Protection", "messages of US customs"
    path = "/USDHSCBP_WIDGET_2.rss"


def _read(body: bytes) -> list[_Item]:
    try:
        entries = ET.fromstring(body).iter("item")  # noqa: S314 - expat refuses entities that grow
        return [_item(entry) for entry in entries]
    except ET.ParseError as err:
        raise ValueError(f"it is no whole feed: {err}") from err


def _item(entry: ET.Element) -> _Item:
    title, url = (" ".join((entry.findtext(name) or "").split()) for name in ("title", "link"))
    if not title or not url:
        raise ValueError("an entry has no title or no link")
    day = pd.to_datetime(parsedate_to_datetime(entry.findtext("pubDate") or ""), utc=True)
    number = _MESSAGE.search(title)
    marked = f"{title} {entry.findtext('description') or ''} {entry.findtext(_TEXT) or ''}"
    return _Item(
        key=f"CSMS {number[1]}" if number else url,
        title=title,
        url=url,
        published=day.tz_localize(None).normalize().as_unit("us"),
        text=" ".join(html.unescape(re.sub(r"<[^>]+>", " ", marked)).split()),
    )
