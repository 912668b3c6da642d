"""US tariff schedule: the magnets' line and its chapter 99 footnotes, for review only."""

import json
import re
from collections.abc import Mapping
from typing import Final, cast

import pandas as pd

from sources.http import HttpClient, HttpSource, MonthRange
from sources.providers.rows import Proposal, proposals, records_in
from store.errors import SourceError
from store.facts.batch import FileRows
from store.vocabulary import ORIGIN

LINE: Final = "8505.11.00"

_NEEDED: Final = ("htsno", "general", "footnotes")
_FOOTNOTE: Final = re.compile(r"\b99\d\d\.\d\d\.\d\d\b")
_MFN: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_ADDED: Final = re.compile(r"(?:\+|\bplus)\s*(\d+(?:\.\d+)?)\s*(?:%|percent)", re.IGNORECASE)

Line = Mapping[str, object]


class TariffSchedule(HttpSource):
    """Current rate of the line in the schedule, and its references to additional rates.

    The schedule gives neither the start of a rate nor the countries affected, so nothing enters
    the ledger automatically: each new statement is proposed for review.
    """

    id = provider = "hts"

    def fetch(self, span: MonthRange, *, ingested_at: pd.Timestamp) -> FileRows:
        """Current line; as ``HttpSource.fetch``, the months only name the file."""
        with self.client() as http:
            lines = [line for line in _search(http, LINE) if _number(line).startswith(LINE)]
            if not any(_number(line) == LINE for line in lines):
                raise SourceError(
                    f"hts has no line {LINE}. Expected it, for magnets are classified there. See "
                    "whether the schedule has been renumbered; nothing was taken over."
                )
            pointed = sorted({note for line in lines for note in _footnotes(line)})
            chapter = {
                note: next((line for line in _search(http, note) if _number(line) == note), None)
                for note in pointed
            }
        items = [_own_rate(line, self.url) for line in lines if str(line["general"] or "").strip()]
        items += [_added_rate(note, line, self.url) for note, line in chapter.items()]
        tables = {"proposals": proposals(items, source=self.id, ingested_at=ingested_at)}
        return self.file(span, http, tables, wanted=f"the rates of {LINE} today")


def _search(http: HttpClient, keyword: str) -> list[Line]:
    return http.get("/search", [("keyword", keyword)], read=_read) or []


def _read(body: bytes) -> list[Line]:
    lines = records_in({"lines": json.loads(body)}, "lines", _NEEDED)
    notes = [note for line in lines for note in cast("list[object]", line["footnotes"] or [])]
    if not all(isinstance(note, dict) for note in notes):
        raise ValueError("it has footnotes that are no records")
    numbers = [line["htsno"] for line in lines if line["htsno"]]
    if len(set(numbers)) != len(numbers):
        raise ValueError("it has a line twice")
    return [*lines]


def _number(line: Line) -> str:
    return str(line["htsno"] or "")


def _footnotes(line: Line) -> list[str]:
    notes = cast("list[dict[str, object]]", line["footnotes"] or [])
    texts = [str(note.get("value", "")) for note in notes]
    return [number for text in texts for number in _FOOTNOTE.findall(text)]


def _own_rate(line: Line, base: str) -> Proposal:
    rate, number = str(line["general"] or "").strip(), _number(line)
    payload = _payload("MFN", number, _MFN.fullmatch(rate), line)
    title, url = f"HTS {number}: general rate {rate}", f"{base}/search?keyword={number}"
    return Proposal(f"{number}|general|{rate}", title, url, None, payload)


def _added_rate(number: str, line: Line | None, base: str) -> Proposal:
    rate = str(line["general"] or "").strip() if line else "not found"
    payload = _payload(number, LINE, _ADDED.search(rate), line)
    title, url = f"HTS {LINE} points to {number}: {rate}", f"{base}/search?keyword={number}"
    return Proposal(f"{LINE}|{number}|{rate}", title, url, None, payload)


def _payload(
    component: str, scope: str, rate: re.Match[str] | None, line: Line | None
) -> dict[str, object]:
    """Values of a ledger row; countries and dates are left open."""
    return {
        "importer": "USA",
        "origin": ORIGIN,
        "component": component,
        "product_scope": f"HTS {scope}",
        "rate_pct": float(rate[1]) if rate else None,
        "effective_from": None,
        "line": None if line is None else dict(line),
    }
