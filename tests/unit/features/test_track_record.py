from collections.abc import Mapping

import pandas as pd
import pytest

from features.track_record import BASE_RATES, OUTCOMES, Announcement, TrackRecord
from tests.data.builders import at, bundled_world, make_events, poisoned

NOTICE: dict[str, object] = {
    "event_id": "duty", "announced_on": "2019-03-01", "effective_from": "2019-04-01",
}  # fmt: skip


def record_of(*acts: Mapping[str, object], day: str = "2020-06-01") -> TrackRecord:
    return TrackRecord(at(day), (make_events(*acts),))


def bundled_record(day: str) -> TrackRecord:
    world = bundled_world()
    return TrackRecord(at(day), (world.events, world.analog_events), world.tariffs)


def announced(record: TrackRecord, *, is_return: bool = False, days: int = 30) -> Announcement:
    due = record.day + pd.Timedelta(days=days)
    return Announcement(
        "CN", frozenset({"WLD"}), is_tariff=False, is_return=is_return,
        known_since=record.day, due=due,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("later", "outcome"),
    [
        ({}, "as announced"),
        ({"suspended_from": "2019-03-31", "suspended_to": "2020-03-31"}, "postponed"),
        ({"suspended_from": "2019-03-31"}, "suspended"),
        ({"effective_to": "2019-04-20"}, "suspended"),
        ({"effective_to": "2019-12-31"}, "as announced"),
    ],
)
def test_the_newest_version_tells_how_an_act_turned_out(
    later: Mapping[str, object], outcome: str
) -> None:
    record = record_of(NOTICE, {**NOTICE, **later, "available_at": "2019-05-01"})

    begun = [one for one in record.past if not one.announcement.is_return]
    assert [OUTCOMES[one.index] for one in begun] == [outcome]


def test_a_relaxation_for_all_soon_after_softens_an_act() -> None:
    eased = {
        "event_id": "eased", "announced_on": "2019-04-20", "effective_from": "2019-04-20",
        "instrument": "export_licence_relaxation", "direction": "easing",
    }  # fmt: skip

    (softened,) = record_of(NOTICE, eased).past

    assert OUTCOMES[softened.index] == "softened"


def test_without_a_record_the_chances_are_those_of_any_law() -> None:
    record = record_of({"direction": "neutral"})

    assert record.chances(announced(record)) == pytest.approx(BASE_RATES)


def test_a_truce_prolonged_makes_the_next_end_less_probable() -> None:
    early, late = (bundled_record(day) for day in ("2025-07-01", "2026-11-25"))

    first, last = (one.chances(announced(one, is_return=True)) for one in (early, late))

    assert last[0] < 0.6 < first[0]
    assert sum(last) == pytest.approx(1.0)


def test_controls_came_as_announced_until_those_of_october_2025() -> None:
    past = [one for one in bundled_record("2026-01-10").past if one.announcement.country == "CN"]

    controls = [
        one for one in past if not one.announcement.is_tariff and not one.announcement.is_return
    ]
    assert {OUTCOMES[one.index] for one in controls[:-1]} == {"as announced"}
    assert controls[-1].announcement.due == pd.Timestamp("2025-11-08")
    assert OUTCOMES[controls[-1].index] == "postponed"


@pytest.mark.parametrize("day", ["2024-12-10", "2025-10-20"])
def test_what_came_out_later_changes_no_chance(day: str) -> None:
    honest = bundled_record(day)
    world = poisoned(bundled_world(), at(day))

    other = TrackRecord(at(day), (world.events, world.analog_events), world.tariffs)

    assert other.past == honest.past
    assert other.chances(announced(other)) == honest.chances(announced(honest))
