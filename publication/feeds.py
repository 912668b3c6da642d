"""Feeds: what is new of a destination and of the publications (Atom), and dates (iCalendar)."""

import hashlib
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree import ElementTree as ET

import pandas as pd
from markupsafe import Markup

from publication.charts.fan import fan_of
from publication.language.phrases import DEFAULT, act_words, gettext, language, tag_of
from publication.pages.briefing import briefing_of
from publication.pages.render import folder_of
from publication.queries.freshness import published_at, releases_ahead
from publication.state import Publication
from publication.tables import Record
from publication.words import name_of, slug_of

_SPACE: Final = "http://www.w3.org/2005/Atom"

_ANSWER: Final = re.compile(
    r'<(h1|p class="(?:surprise|together|held|decision|missing|change)[^"]*"|'
    r'li class="(?:advice|sure)")>.*?</(?:h1|p|li)>',
    re.DOTALL,
)


def digest_of(page: str) -> str:
    """Answer of a destination's page as plain text: headline, decision, change, dates."""
    parts = (Markup(part[0]).striptags() for part in _ANSWER.finditer(page))  # noqa: S704 - our own page
    return "".join(f"{part}\n\n" for part in parts if part)


def destination_feed(publication: Publication, destination: str, digest: str, base_url: str) -> str:
    """Feed whose one entry is the digest of the newest publication."""
    title, _, text = digest.partition("\n\n")
    at = published_at(publication, publication.latest) or publication.as_of
    page = f"{slug_of(destination)}.html"
    name = f"urn:magnetcast:digest:{publication.commodity}:{destination}"
    entry = {"id": f"{name}:{publication.number}", "title": title, "content": text}
    folder = f"{_site(base_url)}{publication.home}/destinations/" if base_url else ""
    return atom(name, f"magnetcast: {name_of(destination)}", [(at, f"{folder}{page}", entry)])


def publications_feed(publications: Sequence[Publication], base_url: str) -> str:
    """Feed of the newest publications of all commodities of a site."""
    entries = []
    for publication in publications:
        at = published_at(publication, publication.latest) or publication.as_of
        title = gettext(
            "Publication %(number)s: China's exports of %(goods)s",
            number=publication.number,
            goods=publication.commodity_words,
        )
        name = f"urn:magnetcast:publication:{publication.commodity}:{publication.number}"
        place = f"{_site(base_url)}{publication.home}/index.html".lstrip("/")
        entries.append((at, place, {"id": name, "title": title, "content": title}))
    return atom("urn:magnetcast:publications", "magnetcast", entries)


def _site(base_url: str) -> str:
    """Address of the site in the language in use; empty where it is not known."""
    return f"{base_url}/{folder_of(language())}".rstrip("/") if base_url else ""


def atom(name: str, title: str, entries: Sequence[tuple[pd.Timestamp, str, Record]]) -> str:
    """Atom feed in the language in use.

    Args:
        entries: Moment, address of the page, and texts by tag of each entry.
    """
    feed = ET.Element("feed", xmlns=_SPACE)
    if language() != DEFAULT:
        feed.set("xml:lang", tag_of(language()))
    changed = max((moment for moment, _, _ in entries), default=pd.Timestamp(0, tz="UTC"))
    texts = {"id": name, "title": title, "updated": f"{changed:%Y-%m-%dT%H:%M:%SZ}"}
    for tag, text in texts.items():
        ET.SubElement(feed, tag).text = text
    ET.SubElement(ET.SubElement(feed, "author"), "name").text = "magnetcast"
    for moment, address, about in entries:
        entry = ET.SubElement(feed, "entry")
        for tag, text in {**about, "updated": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}.items():
            ET.SubElement(entry, tag).text = str(text)
        ET.SubElement(entry, "link", rel="alternate", href=address)
    return ET.tostring(feed, encoding="unicode", xml_declaration=True)


_LINE: Final = 73
"""Bytes of a line; longer ones are folded. Source: RFC 5545, 3.1, with room for the fold."""


def calendar_of(publication: Publication, destination: str, read_at: pd.Timestamp) -> str:
    """Releases expected next and what is announced or scheduled, one day each (iCalendar)."""
    name = gettext("Rare-earth magnets: dates for %(name)s", name=name_of(destination))
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//magnetcast//EN",
        f"X-WR-CALNAME:{_text(name)}",
    ]
    for day, title, details in _all_dates(publication, destination, read_at):
        sign = hashlib.sha256(f"{day:%Y%m%d}{title}".encode()).hexdigest()[:16]
        lines += [
            "BEGIN:VEVENT",
            f"UID:{sign}@magnetcast",
            f"DTSTAMP:{publication.as_of:%Y%m%dT%H%M%SZ}",
            f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
            f"SUMMARY:{_text(title)}",
            f"DESCRIPTION:{_text(details)}",
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            f"DESCRIPTION:{_text(title)}",
            "TRIGGER:-P1D",
            "END:VALARM",
            "END:VEVENT",
        ]
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"])


def _all_dates(
    publication: Publication, destination: str, read_at: pd.Timestamp
) -> Iterator[tuple[pd.Timestamp, str, str]]:
    """Yield the day, short title and description of each date."""
    briefing = briefing_of(publication, fan_of(publication, destination), read_at)
    for day, months in releases_ahead(publication, now=read_at).items():
        title = gettext("China's figures of %(month)s", month=months)
        yield (day, title, gettext("China Customs is expected to publish %(month)s", month=months))
    for risk in briefing.risks:
        acts = gettext("; ").join(act_words(act) for act in risk.acts)
        title = risk.title or textwrap.shorten(acts, _TITLE, placeholder="…")
        yield risk.when, title, gettext("; ").join(filter(None, (acts, risk.chances)))


_TITLE: Final = 60
"""Characters of a calendar entry's title."""


def _text(words: str) -> str:
    """Text with the special characters of iCalendar escaped."""
    for sign in ("\\", ";", ","):
        words = words.replace(sign, f"\\{sign}")
    return words.replace("\n", "\\n")


def _folded(line: str) -> str:
    """Line in parts of at most ``_LINE`` bytes, never within a character."""
    parts, size = [""], 0
    for sign in line:
        size += len(sign.encode())
        if size > _LINE:
            parts, size = [*parts, ""], len(sign.encode())
        parts[-1] += sign
    return "\r\n ".join(parts)
