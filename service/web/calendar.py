"""The dates that matter to a destination, as a calendar (iCalendar, RFC 5545)."""

import hashlib
from collections.abc import Iterator
from typing import Final

import pandas as pd

from service.charts.fan import fan_of
from service.language.acts import act_words
from service.language.formats import dated
from service.language.phrases import gettext
from service.live.publication import Publication
from service.queries.freshness import releases_ahead
from service.web.briefing import briefing_of
from service.wording import name_of

_LINE: Final = 73
"""Bytes of a line; longer ones are folded. Source: RFC 5545, 3.1, with room for the fold."""


def calendar_of(publication: Publication, destination: str, now: pd.Timestamp) -> bytes:
    """Return the releases expected next and what is announced or scheduled, one day each."""
    name = gettext("Rare-earth magnets: dates for %(name)s", name=name_of(destination))
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//magnetcast//EN",
        f"X-WR-CALNAME:{_text(name)}",
    ]
    for day, title in _dates(publication, destination, now):
        sign = hashlib.sha256(f"{day:%Y%m%d}{title}".encode()).hexdigest()[:16]
        lines += [
            "BEGIN:VEVENT",
            f"UID:{sign}@magnetcast",
            f"DTSTAMP:{publication.as_of:%Y%m%dT%H%M%SZ}",
            f"DTSTART;VALUE=DATE:{day:%Y%m%d}",
            f"SUMMARY:{_text(title)}",
            "END:VEVENT",
        ]
    return "".join(f"{_folded(line)}\r\n" for line in [*lines, "END:VCALENDAR"]).encode()


def _dates(
    publication: Publication, destination: str, now: pd.Timestamp
) -> Iterator[tuple[pd.Timestamp, str]]:
    found = briefing_of(publication, fan_of(publication, destination), now)
    for month, day in releases_ahead(publication, now=now).items():
        month_words = dated(month, "long month")
        yield day, gettext("China Customs is expected to publish %(month)s", month=month_words)
    for risk in found.risks:
        acts = gettext("; ").join(act_words(one) for one in risk.acts)
        yield risk.when, ": ".join(part for part in (risk.title, acts) if part)


def _text(words: str) -> str:
    """Return words with what has a meaning of its own escaped."""
    for sign in ("\\", ";", ","):
        words = words.replace(sign, f"\\{sign}")
    return words.replace("\n", "\\n")


def _folded(line: str) -> str:
    """Return a line in parts of at most ``_LINE`` bytes, never within a character."""
    parts, size = [""], 0
    for sign in line:
        size += len(sign.encode())
        if size > _LINE:
            parts, size = [*parts, ""], len(sign.encode())
        parts[-1] += sign
    return "\r\n ".join(parts)
