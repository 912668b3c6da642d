"""Forecasts are mixtures over how what is announced may turn out."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from features.controls.controls import controls_at
from features.controls.levers import with_levers
from features.track_record import BASE_RATES, TrackRecord
from models.policy.paired_forecast import ScenarioSnapshot, paired
from models.policy.policy_effect import effect_at, share_under_tariffs
from tests.data.builders import at, make_events, make_origin, make_tariffs
from tests.data.scenario_builders import NEUTRAL, make_scenario, make_standing

TO_COME: dict[str, object] = {
    "event_id": "to-come", "announced_on": "2020-07-10", "effective_from": "2020-09-01",
}  # fmt: skip
RECORD = TrackRecord(at("2020-07-15"), (make_events(NEUTRAL),))
JPN = 2


def snapshot() -> ScenarioSnapshot:
    """A forecast that knows of one control to come, as probable as any law."""
    made = make_standing(events=make_events(TO_COME))
    return replace(made, origin=replace(made.origin, record=RECORD))


def kept_at(probability: float | None) -> np.ndarray:
    """Return draws of what Japan keeps in October 2020."""
    asked = snapshot()
    lever = "" if probability is None else f", probability: {probability}"
    scenario = make_scenario(f"events: [{{event_id: to-come{lever}}}]", asked)
    then = with_levers(asked.origin, scenario)
    return effect_at(then, asked.analogs, count=1000).retained[:, JPN, 3]


def test_the_chances_of_an_act_to_come_are_those_of_the_record() -> None:
    (control,) = controls_at(snapshot().origin)

    assert control.chances == pytest.approx(BASE_RATES)


def test_as_many_draws_feel_an_act_as_it_is_probable() -> None:
    certain, likely, never = (kept_at(p) for p in (1.0, 0.6, 0.0))

    full = certain < 1.0
    assert (likely[full] == certain[full]).mean() == pytest.approx(0.6, abs=0.05)
    assert (never == certain).mean() < 0.05


def test_a_more_probable_act_leaves_less_in_every_draw() -> None:
    drawn = [np.minimum(kept_at(p), 1.0) for p in (0.0, 0.3, 0.7, 1.0)]

    assert all((later <= earlier + 1e-12).all() for earlier, later in itertools.pairwise(drawn))


def test_a_scenario_states_how_probable_an_act_is_and_what_that_changes() -> None:
    asked = snapshot()
    scenario = make_scenario("events: [{event_id: to-come, probability: 0.1}]", asked)

    found = paired(asked, scenario, draws=400)

    japan = found.table.set_index(["destination", "period"]).loc["JPN"]
    assert japan.loc["2020-08", "scenario_mean"] == japan.loc["2020-08", "base_mean"]
    assert japan.loc["2020-10", "scenario_mean"] > 1.2 * japan.loc["2020-10", "base_mean"]
    assert any("to-come" in note and "10% as announced" in note for note in map(str, found.notes))


def test_an_announced_rise_of_a_tariff_comes_in_as_many_draws_as_probable() -> None:
    rise = {
        "component": "S1", "rate_pct": 60.0, "announced_on": "2020-06-20",
        "effective_from": "2020-10-01",
    }  # fmt: skip
    sure = make_origin(tariffs=make_tariffs({}, rise))
    likely = replace(sure, record=RECORD)

    all_of_it, some = (share_under_tariffs(one, count=1000)[:, 0, 6] for one in (sure, likely))

    assert (some == all_of_it).mean() == pytest.approx(BASE_RATES[0], abs=0.02)
    assert (some >= all_of_it).all()
