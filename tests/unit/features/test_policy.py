from functools import cache

import pandas as pd
import pytest

from features.build import frame_of
from features.families.policy import act_strength
from tests.data.builders import at, bundled_world, frame_at, make_events, make_origin

CONTROL = {
    "event_id": "control", "announced_on": "2020-05-20", "effective_from": "2020-08-01",
    "instrument": "export_control",
}  # fmt: skip


def usa(*events: dict[str, object], destination: str = "USA") -> pd.DataFrame:
    """Return the frame of a destination at cutoff 2020-06, by period."""
    frame = frame_of(make_origin(events=make_events(*events)))
    return frame.loc[frame["destination"] == destination].set_index("period")


@cache
def bundled(day: str) -> pd.DataFrame:
    world = bundled_world()
    frame = frame_at(world.observations, world.events, world.tariffs, as_of=at(day))
    return frame.loc[frame["destination"] == "USA"].set_index("period")


@pytest.mark.parametrize(
    ("instrument", "share", "strength"),
    [("export_control", 0.6, 0.48), ("truce", 0.9, 0.45), ("export_ban", None, 0.0)],
)
def test_strength_is_that_of_the_instrument_times_the_share_covered(
    instrument: str, share: float | None, strength: float
) -> None:
    events = make_events({"instrument": instrument, "covered_share": share})

    assert act_strength(events)[0] == pytest.approx(strength)


def test_strength_does_not_look_at_the_severity_judged_afterwards() -> None:
    mild, grave = ({**CONTROL, "severity": severity} for severity in (0, 3))

    assert act_strength(make_events(mild))[0] == act_strength(make_events(grave))[0]


def test_a_control_counts_from_its_day_and_threatens_before_it() -> None:
    rows = usa({**CONTROL, "effective_from": "2020-08-16"})

    july, august, september = (rows.loc[f"2020-0{month}-01"] for month in (7, 8, 9))
    assert (july["policy_control_exposure"], july["policy_threat"]) == (0.0, 0.8)
    assert august["policy_control_exposure"] == pytest.approx(0.8 * 16 / 31)
    assert (september["policy_control_exposure"], september["policy_threat"]) == (0.8, 0.0)


def test_nothing_is_in_force_within_a_suspension() -> None:
    paused = {**CONTROL, "suspended_from": "2020-09-01", "suspended_to": "2020-11-15"}

    exposure = usa(paused)["policy_control_exposure"]

    assert exposure["2020-08-01"] == pytest.approx(0.8)
    assert exposure["2020-09-01"] == 0.0
    assert exposure["2020-11-01"] == pytest.approx(0.8 * 15 / 30)
    assert exposure["2020-12-01"] == pytest.approx(0.8)


def test_an_act_touches_those_it_names_and_aggregates_by_weight() -> None:
    frame = frame_of(
        make_origin(events=make_events({**CONTROL, "destinations": "DEU;USA"}), tonnes={"USA": 300})
    )

    exposure = frame.groupby("destination")["policy_control_exposure"].last()
    assert (exposure["USA"], exposure["DEU"], exposure["JPN"]) == (0.8, 0.8, 0.0)
    assert exposure["EU27"] == pytest.approx(0.8 / 3)
    assert exposure["WLD"] == pytest.approx(0.8 * 400 / 1200)


@pytest.mark.slow
def test_scheduled_dates_never_enter() -> None:
    scheduled = {**CONTROL, "evidence": "scheduled"}
    world = bundled_world()
    later = make_events({**scheduled, "announced_on": "2025-01-01", "effective_from": "2025-06-01"})
    with_it = pd.concat([world.events, later], ignore_index=True)
    without = world.events.loc[world.events["evidence"] != "scheduled"]

    frames = [
        frame_at(world.observations, events, world.tariffs, as_of=at("2026-03-25"))
        for events in (with_it, without)
    ]

    pd.testing.assert_frame_equal(*frames, check_exact=True)


@pytest.mark.slow
def test_controls_and_tariffs_of_april_2025_are_seen_on_the_tenth_and_not_on_the_first() -> None:
    before, after = (bundled(day).loc["2025-05-01"] for day in ("2025-04-01", "2025-04-10"))

    assert after["policy_control_exposure"] > before["policy_control_exposure"] + 0.5
    assert before["tariff_rate_pct"] == pytest.approx(22.1)
    assert after["tariff_rate_pct"] == pytest.approx(147.1)


@pytest.mark.slow
def test_the_suspension_of_the_october_controls_is_not_known_before_its_day() -> None:
    before, after = (bundled(day).loc["2025-12-01"] for day in ("2025-10-20", "2025-11-07"))

    assert before["policy_control_exposure"] > after["policy_control_exposure"] + 1.0
