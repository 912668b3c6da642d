from dataclasses import replace

import pandas as pd
import pytest

from publication.charts.fan import Marker, heaviest, pick_markers, touches
from tests.publication.builders import make_events

AS_OF = pd.Timestamp("2026-11-24")


def _pick(
    events: pd.DataFrame, destination: str = "DEU", as_of: pd.Timestamp = AS_OF
) -> list[Marker]:
    return pick_markers(
        events,
        destination=destination,
        start=pd.Timestamp("2024-02-01"),
        end=pd.Timestamp("2027-11-01"),
        as_of=as_of,
    )


def test_a_chart_names_three_events_of_three_months_in_date_order() -> None:
    markers = _pick(make_events(), "USA")

    assert [marker.when for marker in markers] == sorted(marker.when for marker in markers)
    named = heaviest(markers)
    assert [marker.when for marker in named] == sorted(marker.when for marker in named)
    assert len({f"{marker.when:%Y-%m}" for marker in named}) == 3 < len(markers)


@pytest.mark.parametrize(
    ("destination", "codes", "expected"),
    [
        ("DEU", ["EU27"], True),
        ("DEU", ["FRA"], False),
        ("EU27", ["FRA"], True),
        ("EU27_REST", ["FRA"], True),
        ("EU27_REST", ["DEU"], False),
        ("ROW", ["AUS"], True),
        ("ROW", ["FRA", "USA"], False),
        ("JPN", ["WLD"], True),
        ("WLD", ["JPN"], False),
        ("JPN", ["EU27"], False),
    ],
)
def test_an_event_touches_the_destinations_it_names(
    destination: str, codes: list[str], *, expected: bool
) -> None:
    assert touches(destination, codes) is expected


@pytest.mark.parametrize(
    ("event_id", "destination", "day", "relevant", "symbol"),
    [
        ("2025-04-cn-no18-seven-ree", "ROW", "2026-11-24", True, "▼"),
        ("2026-01-cn-no1-japan-dual-use-ban", "DEU", "2026-11-24", False, "▼"),
        ("sched-2027-01-10-truce-expiry", "USA", "2026-11-24", True, "▽"),
        ("2026-01-us-s301-magnets-25", "USA", "2025-12-31", True, "▽"),
        ("2026-01-us-s301-magnets-25", "USA", "2026-01-01", True, "▼"),
    ],
)
def test_a_marker_is_hollow_until_its_day_and_tells_whom_it_touches(
    event_id: str, destination: str, day: str, symbol: str, *, relevant: bool
) -> None:
    events = make_events().loc[lambda rows: rows["event_id"] == event_id]

    (marker,) = _pick(events, destination, pd.Timestamp(day))

    assert (marker.relevant, marker.symbol, marker.ahead) == (relevant, symbol, symbol == "▽")


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (("2026-10-09", "2026-12-01"), "announced 9 Oct 2026, effective 1 Dec 2026"),
        (("2026-10-09", None), "announced 9 Oct 2026"),
        ((None, "2026-12-01"), "effective 1 Dec 2026"),
    ],
)
def test_a_marker_tells_the_day_of_announcement_from_that_of_effect(
    days: tuple[str | None, str | None], words: str
) -> None:
    marker, *_ = _pick(make_events())
    announced, effective = (pd.Timestamp(day) for day in days)

    assert replace(marker, announced=announced, effective=effective).days == words
