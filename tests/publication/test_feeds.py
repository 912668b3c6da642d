import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.publication.pages import Outline

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.mark.parametrize("folder", ["", "de/"])
def test_a_digest_says_in_plain_text_what_the_page_says_first(site: Path, folder: str) -> None:
    place = site / folder / "destinations"
    page = Outline((place / "USA.html").read_text(encoding="utf-8")).words
    lines = (place / "USA.txt").read_text(encoding="utf-8").strip().split("\n\n")

    feed = ET.parse(place / "USA.atom").getroot()  # noqa: S314 - our own
    assert len(lines) > 2
    assert [line for line in lines if " ".join(line.split()) not in page] == []
    entry = feed.find(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}title") == lines[0]
    assert entry.findtext(f"{ATOM}id") == "urn:magnetcast:digest:85051110:USA:2"


def test_the_feed_of_publications_has_the_newest_of_each_commodity(site: Path) -> None:
    feed = ET.parse(site / "feed.atom").getroot()  # noqa: S314 - our own

    titles = [entry.findtext(f"{ATOM}title") for entry in feed.iter(f"{ATOM}entry")]
    assert titles[0] == "Publication 2: China's exports of rare-earth magnets"
    assert len(titles) == 2


def test_the_dates_are_a_calendar(site: Path) -> None:
    text = (site / "destinations/USA.ics").read_bytes().decode()

    lines = text.replace("\r\n ", "").split("\r\n")
    days = [line.partition(":")[2] for line in lines if line.startswith("DTSTART")]
    assert "20261220" in days
    assert days.count("20270111") == lines.count("DTSTART;VALUE=DATE:20270111") > 0
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert lines.count("BEGIN:VALARM") == lines.count("BEGIN:VEVENT") > 1
    assert max(len(line) for line in lines if line.startswith("SUMMARY")) <= len("SUMMARY:") + 60
    assert not re.search(r"(?<!\r)\n", text)
