import re
from pathlib import Path
from xml.etree import ElementTree as ET

ATOM = "{http://www.w3.org/2005/Atom}"


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
