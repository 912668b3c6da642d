import pandas as pd
import pytest

from features.controls.analogs import HALF_LIFE, PRIOR, first_control_rate
from features.track_record import TrackRecord
from tests.data.builders import at, bundled_world, make_events


def minerals(*acts: dict[str, object]) -> pd.DataFrame:
    """Return acts on other minerals."""
    rows = make_events(
        *({name: one for name, one in act.items() if name != "material"} for act in acts)
    )
    return rows.assign(material=[act["material"] for act in acts])


QUOTA: dict[str, object] = {
    "event_id": "quota", "announced_on": "2019-01-10", "effective_from": "2019-01-10",
    "instrument": "quota", "material": "tin; silver",
}  # fmt: skip
LICENCE: dict[str, object] = {
    "event_id": "licence", "announced_on": "2019-07-10", "effective_from": "2019-08-10",
    "instrument": "export_control", "material": "tin",
}  # fmt: skip


def rate(*acts: dict[str, object], day: str = "2019-12-31") -> float:
    return first_control_rate(TrackRecord(at(day), (minerals(*acts),)))


def test_a_mineral_is_at_risk_until_its_first_control() -> None:
    counted = [0.5 ** (age / HALF_LIFE) for age in range(12)]  # of December 2019 back to January
    hits, at_risk = PRIOR

    found = rate(QUOTA, LICENCE)

    silver, tin = sum(counted), sum(counted[5:])
    assert found == pytest.approx((hits + counted[5]) / (at_risk + silver + tin))


def test_a_further_control_on_the_same_mineral_is_no_first_one() -> None:
    further = {**LICENCE, "event_id": "further", "announced_on": "2019-09-01"}

    assert rate(QUOTA, LICENCE, further) == rate(QUOTA, LICENCE)


def test_no_act_known_later_enters() -> None:
    world = bundled_world()
    acts = world.analog_events
    now = at("2024-06-25")

    known, spoiled = (
        first_control_rate(TrackRecord(now, (one,)))
        for one in (acts.loc[acts["available_at"] <= now], acts)
    )

    assert known == spoiled
    assert 0.004 < known < 0.02
