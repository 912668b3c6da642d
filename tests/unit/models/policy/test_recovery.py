from dataclasses import replace

import pytest

from models.policy.recovery import recoveries_at, recovery_of
from models.policy.response import Response
from tests.data.builders import make_events
from tests.data.scenario_builders import halted, make_standing

CONTROL = "export_control"


def test_months_until_most_is_back_follow_the_analogs() -> None:
    quick, slow = (
        recovery_of(
            Response(tuple(halted(f"{name}{k}", kept=k) for name in "abc")), instrument=CONTROL
        )
        for k in (2.5, 0.7)
    )

    assert 4 <= quick.p50 <= 9
    assert slow.p50 > quick.p50
    assert quick.p10 <= quick.p50 <= quick.p90
    assert slow.chance_not > quick.chance_not
    stopped = Response(tuple(halted(name, kept=0.05) for name in "abcd"))
    assert recovery_of(stopped, instrument=CONTROL).chance_not > 0.3


def test_every_known_control_has_its_months_seen_and_its_share() -> None:
    observed = {"event_id": "observed", "effective_from": "2020-04-04"}
    ahead = {
        "event_id": "ahead", "instrument": "export_ban", "destinations": "JPN",
        "effective_from": "2020-09-01",
    }  # fmt: skip
    origin = make_standing(events=make_events(observed, ahead)).origin
    tonnes = origin.tonnes.copy()
    tonnes[:, -3:] *= 0.3

    found = recoveries_at(replace(origin, tonnes=tonnes), (halted("a"), halted("b")))

    assert list(found["event_id"]) == ["observed", "ahead"]
    assert list(found["months_seen"]) == [3, 0]
    assert list(found["analogs"]) == [2, 3]
    assert found["kept_now"].iloc[0] == pytest.approx(0.3, rel=0.05)
