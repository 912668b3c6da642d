import pandas as pd
import pytest

from service.charts.fan import MOST_MARKERS, Marker, pick_markers, touches
from tests.service.builders import make_events

AS_OF = pd.Timestamp("2026-11-24")


def _pick(
    events: pd.DataFrame, destination: str = "DEU", as_of: pd.Timestamp = AS_OF
) -> tuple[list[Marker], int]:
    return pick_markers(
        events,
        destination=destination,
        start=pd.Timestamp("2024-02-01"),
        end=pd.Timestamp("2027-11-01"),
        as_of=as_of,
    )


def _only(event_id: str) -> pd.DataFrame:
    events = make_events()
    return events[events["event_id"] == event_id]


def test_april_2025_licences_are_marked_everywhere() -> None:
    for destination in ("WLD", "DEU", "ROW"):
        markers, _ = _pick(make_events(), destination)

        assert "2025-04-cn-no18-seven-ree" in {marker.event_id for marker in markers}


def test_markers_are_numbered_in_date_order_and_capped() -> None:
    markers, left_out = _pick(make_events(), "USA")

    assert [marker.number for marker in markers] == list(range(1, MOST_MARKERS + 1))
    assert [marker.when for marker in markers] == sorted(marker.when for marker in markers)
    assert left_out > 0


def test_binding_restriction_of_another_destination_is_marked() -> None:
    (marker,), _ = _pick(_only("2026-01-cn-no1-japan-dual-use-ban"), "DEU")

    assert not marker.relevant


def test_scheduled_event_is_marked_ahead_and_hollow() -> None:
    (marker,), _ = _pick(_only("sched-2027-01-10-truce-expiry"), "USA")

    assert (marker.in_force, marker.ahead, marker.symbol) == (False, True, "▽")
    assert marker.title == "Extended US-China truce ends."


def test_announced_event_is_ahead_until_its_day() -> None:
    event = _only("2026-01-us-s301-magnets-25")

    (before,), _ = _pick(event, "USA", pd.Timestamp("2025-12-31"))
    (after,), _ = _pick(event, "USA", pd.Timestamp("2026-01-01"))

    assert (before.state, after.state) == ("restrictive, scheduled", "restrictive")


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
