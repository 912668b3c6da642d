"""Bad cells of the hand-written tables: each is named with file, line, column and value."""

from pathlib import Path

import pytest

from sources.bundled.all_tables import rankings
from sources.bundled.policy_events import policy_events, tariff_rates
from sources.bundled.published_figures import published_figures
from sources.bundled.release_calendar import ReleaseCalendar, release_dates
from store.errors import DataError
from tests.data.store_builders import EVENT, FIGURE, RANKING, RELEASE, TARIFF, write_csv

RULE = ReleaseCalendar({})
TABLES = {
    "figures": (FIGURE, lambda path: published_figures(path, RULE)),
    "rankings": (RANKING, lambda path: rankings(path, RULE, {})),
    "events": ({**EVENT, "event_id": "first"}, policy_events),
    "tariffs": ({**TARIFF, "component": "first"}, tariff_rates),
    "releases": (RELEASE, release_dates),
}
OTHER = {"events": {"event_id": "second"}, "tariffs": {"component": "second"}}
"""What makes the second line of a table another entry."""


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("figures", {"measure": "tons"}, "one of "),
        ("figures", {"destination": "ZZZ"}, "a destination "),
        ("figures", {"kind": "guess"}, "one of derived, reported"),
        ("figures", {"period": "2025-06..2025-01"}, "a period "),
        ("figures", {"value": "-353"}, "at least 0"),
        ("figures", {"value": "nan"}, "a plain number"),
        ("figures", {"measure": "yoy_pct", "value": "-100.5"}, "at least -100"),
        ("figures", {"measure": "share_pct", "value": "101"}, "within 0 and 100"),
        ("figures", {"published_on": "July"}, "a day, a month, a year"),
        ("figures", {"value": "354"}, "'353', as line 2 has it"),
        ("rankings", {"rank_order": "DEU>XXX"}, "an order of different ISO alpha-3 countries"),
        ("events", {"instrument": "embargo"}, "one of "),
        ("events", {"direction": "up"}, "one of easing, neutral, restrictive"),
        ("events", {"severity": "4"}, "one of 0, 1, 2, 3"),
        ("events", {"destinations": "USA;XXX"}, "a list of "),
        ("events", {"announced_on": ""}, "filled"),
        ("events", {"announced_on": "April"}, "a day YYYY-MM-DD"),
        ("events", {"effective_to": "2025-04-03"}, "on or after effective_from 2025-04-04"),
        (
            "events", {"suspended_from": "2025-11-07", "suspended_to": "2025-11-06"},
            "on or after suspended_from 2025-11-07",
        ),
        ("events", {"event_id": "first"}, "new, for line 2 has the same"),
        ("events", {"evidence": "rumour"}, "one of "),
        ("tariffs", {"rate_pct": "-1"}, "within 0 and 1000"),
        ("tariffs", {"rate_pct": "1000.1"}, "within 0 and 1000"),
        ("tariffs", {"importer": "WLD"}, "one of "),
        ("tariffs", {"effective_to": "2025-02-03"}, "on or after effective_from 2025-02-04"),
        ("tariffs", {"component": "first", "effective_from": "2025-02-04"}, "new, for line"),
        ("releases", {"release_date": "the 20th"}, "a text with a day"),
        ("releases", {"release_date": "2025-06-20"}, "after the period's end 2025-06-30"),
        ("releases", {"period": "June"}, "a period"),
        ("releases", {"what": ""}, "filled"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_bad_cell_is_named_with_line_column_and_value(
    tmp_path: Path, name: str, change: dict[str, str], expected: str
) -> None:
    template, source = TABLES[name]
    second = {**OTHER.get(name, {}), **change}
    column, value = list(change.items())[-1]

    with pytest.raises(DataError) as caught:
        source(write_csv(tmp_path / f"{name}.csv", template, {}, second))

    place = f"1 bad row in {name}.csv: line 3, column {column!r}: {value!r} is not "
    assert str(caught.value).startswith(place + expected)
