"""Facts that come in broken: refused whole, kept aside, and right the next time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.checking import Watch
from tests.faults.home import Home, Said, Service
from tests.faults.world import FIGURES

Shared = tuple[Home, Service]
Enduring = Callable[[Home, Service, str], Watch]

pytestmark = [pytest.mark.slow, pytest.mark.long]

POISONED_MB = 1024
ROOM = 3 << 30
"""Bytes of address space for a process that meets a poisoned file; it has 2 GB before."""


def broken(home: Home, change: Callable[[str], str]) -> Said:
    """Let the scheduled ingest meet changed figures, then put them back."""
    path = home.data / FIGURES
    good = path.read_text()
    path.write_text(change(good))
    try:
        return home.call("ingest", "bundled")
    finally:
        path.write_text(good)


def test_a_truncated_feed(shared: Shared, enduring: Enduring) -> None:
    home, service = shared
    watch = enduring(home, service, "a feed cut off in the middle of a line")

    result = broken(home, lambda text: text[: len(text) // 2 + 7])

    watch.happened(result, r"published_figures\.csv.*nothing was taken over")
    watch.still_served()
    watch.alarm("failed", "the ingest of the bundled tables.*failed")
    watch.healed(home.call("ingest", "bundled"), by="the next ingest, of the whole file")


def test_an_object_column(shared: Shared, enduring: Enduring) -> None:
    home, service = shared
    watch = enduring(home, service, "text in a column of numbers")

    def change(text: str) -> str:
        lines = text.splitlines()
        at = lines[0].split(",").index("value")
        cells = lines[5].split(",")
        lines[5] = ",".join([*cells[:at], "n/a (see note)", *cells[at + 1 :]])
        return "\n".join(lines) + "\n"

    result = broken(home, change)

    watch.happened(result, r"line 6, column 'value': 'n/a \(see note\)' is not")
    watch.still_served()
    watch.alarm("failed", "n/a \\(see note\\)")
    watch.healed(home.call("ingest", "bundled"), by="the next ingest, of right figures")


def test_a_poisoned_file(shared: Shared, enduring: Enduring, tmp_path: Path) -> None:
    home, service = shared
    watch = enduring(home, service, f"a poisoned CSV of {POISONED_MB} MB")
    path = tmp_path / "customs.csv"
    with path.open("wb") as file:
        file.write(b"Date,Commodity code,Trading partner,Quantity,Unit,US dollar\n")
        file.write(b'202003,85051110,"' + b"A" * 1000)
        file.truncate(POISONED_MB << 20)

    output = home.call("ingest", "customs", str(path), "--flow", "export", memory=ROOM)

    watch.happened(output, r"customs\.csv has more than 64 MB")
    watch.still_served()
    watch.alarm_is_message()
    watch.healed(home.call("ingest", "bundled"), by="nothing was stored; the next ingest goes on")
