"""The report on April 2025 in the docs stands on the bundled facts."""

import re

import pytest

from docs.measured import AS_OF, PICTURE
from features.panel.evidence_panel import KINDS, PANEL_DESTINATIONS
from store.months import month_number
from store.settings import PROJECT_ROOT
from tests.data.builders import bundled_world

PAGE = PROJECT_ROOT / "docs" / "attribution-april-2025.md"


def months_of(title: str) -> list[list[str]]:
    """Return the cells of the month table beneath a title."""
    text = PAGE.read_text(encoding="utf-8").split(f"**{title}**\n\n")[1].split("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "name"), [("The world", "WLD"), ("Germany", "DEU"), ("United States", "USA")]
)
def test_the_months_of_the_page_are_those_of_the_panel(title: str, name: str) -> None:
    panel = bundled_world().history().panel(AS_OF)
    row, start = PANEL_DESTINATIONS.index(name), month_number("2025-04") - panel.first

    rows = months_of(title)

    assert [line[0] for line in rows[:3]] == ["2025-04", "2025-05", "2025-06"]
    assert len(rows) == 12
    shown = [line[1].split(" ± ")[0] for line in rows]
    assert shown == [f"{tonnes:,.0f}" for tonnes in panel.tonnes[row, start : start + 12]]
    kinds = [KINDS[kind] for kind in panel.kind[row, start : start + 12]]
    assert [line[2] for line in rows] == kinds


def test_the_loss_in_words_is_that_of_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    result = re.search(r"Exports to the world lost ([\d,]+) t in April-June 2025", text)

    lost = sum(int(line[6].strip("+").replace(",", "")) for line in months_of("The world")[:3])

    assert result is not None
    assert int(result[1].replace(",", "")) == pytest.approx(lost, abs=2)
    assert "# Effect of the act of 4 April 2025" in text
    assert f"]({PICTURE})" in text
    assert (PROJECT_ROOT / "docs" / PICTURE).read_bytes().startswith(b"\x89PNG")
