"""Announcements of new acts, for review only.

They are Beijing's, of its commerce ministry and its customs, and feeds of the White House and of US
customs.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from itertools import chain
from typing import ClassVar, Final
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree as ET

import pandas as pd

from sources.http import PAGE_TYPE, HttpClient, HttpSource, MonthRange
from sources.providers.rows import ELEMENTS, MINERALS, Proposal, proposals, proposed_coverage
from store.errors import SourceError, first_few
from store.facts.batch import FileRows

GOODS: Final = ("稀土", "永磁", *ELEMENTS, *MINERALS)
"""Goods that are watched: rare earths, magnets, and the minerals of ``analog_events``."""

MOST_YEARS: Final = 3
"""Lists that are read, the newest; older acts are in the bundled tables."""

_WATCHED: Final = re.compile("|".join((*GOODS, "管制", "两用物项", "暂停")))
"""Words in the title of an announcement that is opened."""

_DATE: Final = r"(20\d\d)\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?"
_NUMBER: Final = re.compile(r"公告\s*(20\d\d)\s*年?\s*第\s*(\d+)\s*号")
_CITED: Final = re.compile(r"(20\d\d)\s*年\s*第\s*(\d+)\s*号|第\s*(\d+)\s*号")
_SIGNED: Final = re.compile(r"^[^\d自至起]{0,40}(20\d\d)年(\d{1,2})月(\d{1,2})日$", re.MULTILINE)
"""Line below an announcement, and the one above it that gives the day of issue."""
_HALT: Final = re.compile(r"(?:暂停|停止)(?:实施|施行|执行)")
_AT_ONCE: Final = re.compile(r"自(?:本?公告)?(?:公布|发布|印发)之日起|即日起")
_FROM: Final = re.compile(rf"自\s*{_DATE}起(?:正式)?(?:实施|施行|执行|生效)")
_UNTIL: Final = re.compile(rf"(?:自\s*{_DATE}\s*起?\s*)?至\s*{_DATE}")
_LATE: Final = pd.Timedelta(days=31)
"""Delay from which a list begins late, and after which a date is not one of publication."""
_BLOCKS: Final = frozenset({"p", "div", "br", "li", "tr", "td", "h1", "h2", "h3", "section"})


@dataclass(slots=True)
class _Entry:
    """One line of a list."""

    href: str = ""
    title: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Announcement:
    """One announcement of a list."""

    name: str
    """Issuer and number, as ``商务部公告2025年第61号``."""
    number: tuple[str, str]
    title: str
    url: str
    listed_on: pd.Timestamp


class _Page(HTMLParser):
    """Text of a page, the lines of its lists, and the dates in its head."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.entries: list[_Entry] = []
        self.text = self.head = ""
        self._mutes = self._names = False
        self._entry: _Entry | None = None
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = body.decode("gb18030")
        if text.lower().count("</html>") != 1:
            raise ValueError("it is no whole page")
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._mutes = tag in {"script", "style"}
        if tag == "meta" and values.get("name", "").lower() == "pubdate":
            self.head = values.get("content", "")
        if tag == "li":
            self._entry = _Entry()
            self.entries.append(self._entry)
        if tag == "a" and self._entry is not None and not self._entry.href:
            self._entry.href, self._entry.title = values.get("href", ""), values.get("title", "")
            self._names = not self._entry.title
        self.text += "\n" if tag in _BLOCKS else ""

    def handle_endtag(self, tag: str) -> None:
        self._mutes = self._mutes and tag not in {"script", "style"}
        self._names = self._names and tag not in {"a", "li", "ul"}
        self._entry = None if tag in {"li", "ul"} else self._entry
        self.text += "\n" if tag in _BLOCKS else ""

    def handle_data(self, data: str) -> None:
        if not self._mutes:
            words = " ".join(data.split())
            self.text += words
            if self._entry is not None and self._names:
                self._entry.title += words
            elif self._entry is not None:
                self._entry.text += f" {words}"


@dataclass(frozen=True, slots=True)
class _Announcements(HttpSource):
    whose: ClassVar[str]
    by_year: ClassVar[bool] = True
    """Whether each year has a list of its own."""

    def fetch(self, span: MonthRange, *, ingested_at: pd.Timestamp) -> FileRows:
        """Announcements on watched commodities; as ``HttpSource.fetch``."""
        spans = [*span.years()][-MOST_YEARS:] if self.by_year else [span]
        folders = [f"/{part.first.year}" if self.by_year else "" for part in spans]
        with self.client() as http:
            lists = [self._listed(http, f"{folder}/index.html") for folder in folders]
            opened = [
                item
                for item in dict.fromkeys(chain(*lists))
                if span.begin <= item.listed_on <= span.end and _WATCHED.search(item.title)
            ]
            host = urlsplit(self.url).hostname
            on_site = [item for item in opened if urlsplit(item.url).hostname == host]
            items = [self._proposal(http, item) for item in on_site]
        if not any(lists):
            raise self._refused(f"has no list of {span}", self.url)
        away = [f"{item.name} ({item.url})" for item in opened if item not in on_site]
        notes = []
        if span.begin < spans[0].begin:
            notes.append(f"announcements before {spans[0].begin:%Y-%m-%d}: not read")
        for part, entries in zip(spans, lists, strict=True):
            first = min((item.listed_on for item in entries), default=None)
            if first is None:
                notes.append(f"announcements of {part}: no list")
            elif first - part.begin > _LATE:
                notes.append(
                    f"announcements from {part.begin:%Y-%m-%d} to {first:%Y-%m-%d}: not on the list"
                )
        if away:
            notes.append(f"announcements on other sites, to be read there: {first_few(away)}")
        recognised = [item for item in items if item is not None]
        return self.file(
            span,
            http,
            {"proposals": proposals(recognised, source=self.id, ingested_at=ingested_at)},
            wanted=f"announcements of {self.whose} on rare earths, magnets and other minerals",
            ignored=tuple(notes),
        )

    def _listed(self, http: HttpClient, path: str) -> list[_Announcement]:
        page, url = http.get(path, read=_Page, accept=PAGE_TYPE), f"{self.url}{path}"
        if page is None:
            return []
        announcements = []
        for entry in page.entries:
            title = " ".join(entry.title.split())
            if (number := _NUMBER.search(title)) is None or not entry.href:
                continue
            if (day := _day(re.search(_DATE, entry.text))) is None:
                raise self._refused(f"lists {title[:40]!r} without a date", url)
            issuer = "".join(title[: number.start()].split())
            name = f"{issuer}公告{number[1]}年第{number[2]}号"
            site, link = urlsplit(self.url), urlsplit(urljoin(url, entry.href))
            if link.hostname == site.hostname:
                link = link._replace(scheme=site.scheme)
            numbers = (number[1], number[2])
            announcements.append(_Announcement(name, numbers, title, link.geturl(), day))
        if not announcements:
            raise self._refused("answers without announcements: it sent an HTML page", url)
        return announcements

    def _proposal(self, http: HttpClient, item: _Announcement) -> Proposal | None:
        """Proposal of a recognised act; None if it concerns other commodities."""
        page = http.get("", read=_Page, accept=PAGE_TYPE, base_url=item.url)
        text = page.text if page else ""
        start = next((n.start() for n in _NUMBER.finditer(text) if n.groups() == item.number), None)
        if start is None:
            raise self._refused(f"answers without {item.name}: it sent an HTML page", item.url)
        signed = [*_SIGNED.finditer(text, start)]
        dates = [re.search(_DATE, page.head if page else ""), *signed]
        stated_days = [day for match in dates if (day := _day(match)) is not None]
        # A day long after the listing is when the act takes effect, not when it was signed.
        days = [day for day in stated_days if day <= item.listed_on + _LATE]
        if not days:
            raise self._refused(f"gives no date of {item.name}", item.url)
        # The latest of these days, since nobody can have read the announcement earlier.
        announced = max(*days, item.listed_on)
        body = text[start : signed[-1].end() if signed else None]
        facts = _facts(item, body, announced)
        if not facts["products"] and not facts["suspends"]:
            return None
        return Proposal(item.name, item.title, item.url, announced, facts)

    def _refused(self, fault: str, url: str) -> SourceError:
        return SourceError(
            f"{self.id} {fault}, at {url}. Expected {self.whose}'s announcements, each with number "
            "and date. Open the address in a browser: it may be of another site or rebuilt; enter "
            "the act with `magnetcast ingest events FILE`. Nothing was taken over."
        )


class CommerceMinistry(_Announcements):
    """Announcements of China's Ministry of Commerce, one list a year."""

    id = provider = "mofcom"
    whose = "China's commerce ministry"


class CustomsAdministration(_Announcements):
    """Announcements of China's customs, the newest list."""

    id = provider = "gacc"
    whose = "China's customs"
    by_year = False


def _facts(
    item: _Announcement, body: str, announced: pd.Timestamp
) -> Mapping[str, str | list[str]]:
    """Fields of a ledger row read from an announcement, and the announcements it suspends."""
    at_once = [announced] if _AT_ONCE.search(body) else []
    effective_days = sorted({*at_once, *filter(None, map(_day, _FROM.finditer(body)))})
    is_suspension = _HALT.search(body) is not None
    suspension = _UNTIL.search(body) if is_suspension else None
    year, cited = item.number[0], []  # a number without a year has that of the one before it
    for match in _CITED.finditer(item.title + body if is_suspension else ""):
        year = match[1] or year
        cited.append((year, match[2] or match[3]))
    suspended_to = _day(suspension, first=4)
    return {
        "citation": item.name,
        "issuer": item.name.partition("公告")[0],
        "products": "; ".join(word for word in GOODS if word in item.title + body),
        **proposed_coverage(item.title, body),
        "effective_on": f"{effective_days[0]:%Y-%m-%d}" if effective_days else "",
        "effective_days": [f"{day:%Y-%m-%d}" for day in effective_days],
        "suspends": [f"{y}年第{n}号" for y, n in dict.fromkeys(cited) if (y, n) != item.number],
        "suspended_from": f"{_day(suspension) or announced:%Y-%m-%d}" if suspended_to else "",
        "suspended_to": f"{suspended_to:%Y-%m-%d}" if suspended_to else "",
    }


def _day(match: re.Match[str] | None, *, first: int = 1) -> pd.Timestamp | None:
    """Day of a match of ``_DATE``, whose year is group ``first``; None without one."""
    if match is None or match[first] is None:
        return None
    year, month, day = (int(match[first + place]) for place in range(3))
    try:
        return pd.Timestamp(year, month, day).as_unit("us")
    except ValueError:
        return None


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
