from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from features.controls.controls import Control, controls_at, current_control, tonnes_without
from features.origin import Origin
from tests.data.builders import make_events, make_origin

USA = 0


def origin_with(*acts: Mapping[str, object], cutoff: str = "2020-06") -> Origin:
    return make_origin(events=make_events(*acts), cutoff=cutoff)


def control_of(origin: Origin) -> Control:
    (control,) = controls_at(origin)
    return control


def test_a_licence_duty_on_magnets_hits_everyone_and_the_sums() -> None:
    control = control_of(origin_with({"effective_from": "2020-04-04"}))

    assert control.event_id == "2018-09-control"
    assert control.hit.all()
    assert control.share == 1.0
    assert control.seen(origin_with(cutoff="2020-06")) == 3


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"covered_share": 0.1}, id="little of the trade"),
        pytest.param({"covered_share": None}, id="unknown coverage"),
        pytest.param({"instrument": "entity_list"}, id="weak instrument"),
        pytest.param({"direction": "easing"}, id="easing"),
        pytest.param({"effective_from": None}, id="not dated"),
        pytest.param({"effective_from": "2021-07-01"}, id="after the last target"),
    ],
)
def test_what_stops_no_magnets_is_no_control(change: Mapping[str, object]) -> None:
    assert controls_at(origin_with(change)) == ()


def test_a_sum_is_hit_where_all_its_members_are() -> None:
    origin = origin_with({"destinations": "EU27"})
    control = control_of(origin)

    hit = {name for name, is_hit in zip(origin.series, control.hit, strict=True) if is_hit}
    assert hit == {"DEU", "ITA", "EU27_REST", "EU27"}


def test_a_suspended_control_comes_back_the_day_after() -> None:
    act = {"suspended_from": "2020-01-10", "suspended_to": "2020-11-10"}

    first, again = controls_at(origin_with(act))

    assert (first.bound, first.ends) == (pd.Timestamp("2018-09-04"), pd.Timestamp("2020-01-10"))
    assert (again.bound, again.ends) == (pd.Timestamp("2020-11-11"), None)


TRUCE = {
    "event_id": "truce", "instrument": "truce", "direction": "easing",
    "announced_on": "2020-05-01", "effective_from": "2020-11-11", "effective_to": "2021-01-10",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "bound"),
    [
        pytest.param({}, "2021-01-11", id="covers it"),
        pytest.param({"destinations": "USA"}, "2020-11-11", id="covers one destination"),
        pytest.param({"covered_share": 0.1}, "2020-11-11", id="covers other goods"),
        pytest.param({"effective_from": "2020-12-01"}, "2020-11-11", id="begins too late"),
        pytest.param({"effective_to": None}, "2020-11-11", id="tells no end"),
    ],
)
def test_a_truce_announced_over_its_return_puts_a_control_off(
    change: Mapping[str, object], bound: str
) -> None:
    act = {"suspended_from": "2020-01-10", "suspended_to": "2020-11-10"}

    again = controls_at(origin_with(act, {**TRUCE, **change}))[-1]

    assert again.bound == pd.Timestamp(bound)


def test_a_further_licence_is_part_of_the_episode_and_a_ban_begins_its_own() -> None:
    licence = {"event_id": "licence", "effective_from": "2020-01-05"}
    further = {"event_id": "further", "effective_from": "2020-04-05"}
    ban = {"event_id": "ban", "effective_from": "2020-05-05", "instrument": "export_ban"}

    def episode(*acts: Mapping[str, object]) -> str:
        origin = origin_with(*acts)
        found = current_control(controls_at(origin), USA, origin)
        return found.event_id

    assert episode(licence, further) == "licence"
    assert episode(licence, further, ban) == "ban"


def test_a_control_seen_for_more_than_eighteen_months_leads_no_more() -> None:
    origin = origin_with({"effective_from": "2018-12-04"})

    assert current_control(controls_at(origin), USA, origin) is None


def test_the_level_before_knows_nothing_of_the_months_since() -> None:
    origin = origin_with({"effective_from": "2020-04-04"})
    fallen = origin.tonnes.copy()
    fallen[:, -3:] = 1.0
    after = make_origin(events=origin.events)
    object.__setattr__(after, "tonnes", fallen)

    level = tonnes_without(after, control_of(after))

    np.testing.assert_array_equal(level, tonnes_without(origin, control_of(origin)))
    assert level.shape == (len(origin.series), 3 + len(origin.targets))
