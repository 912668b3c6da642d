import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.controls.controls import controls_at
from features.controls.levers import with_levers
from features.track_record import BASE_RATES, TrackRecord
from models.policy.paired_forecast import ScenarioSnapshot, paired
from models.policy.policy_effect import effect_at, respond, share_under_tariffs
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES
from tests.data.builders import at, make_events, make_origin, make_tariffs
from tests.data.scenario_builders import NEUTRAL, make_scenario, make_standing
from tests.data.why_builders import halted_analog

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


NEW_BAN = (
    "events: [{event_id: ban, instrument: export_ban, destinations: [JPN], "
    "effective_from: 2020-09-01, covers: magnets, covered_share: 1, covered_because: a test"
)
SLOW = pytest.mark.slow
ANNOUNCED = "events: [{event_id: to-come"


def means_at(text: str, probability: float) -> pd.DataFrame:
    """Return means of all months of Japan under a scenario with a probability."""
    asked = snapshot()
    scenario = make_scenario(f"{text}, probability: {probability}}}]", asked)
    return paired(asked, scenario, draws=400).table.set_index("destination").loc["JPN"]


def test_at_probability_zero_a_new_act_does_nothing() -> None:
    table = means_at(NEW_BAN, 0.0)

    assert (table["scenario_mean"] == table["base_mean"]).all()
    assert (table["scenario_p50"] == table["base_p50"]).all()
    assert not table[["difference_p10", "difference_p90"]].any(axis=None)


@pytest.mark.parametrize("text", [NEW_BAN, ANNOUNCED], ids=["new", "announced"])
@pytest.mark.parametrize("probability", [0.5, *(pytest.param(p, marks=SLOW) for p in (0.25, 0.75))])
def test_the_mean_moves_in_proportion_to_the_probability(text: str, probability: float) -> None:
    never, sure = (means_at(text, share)["scenario_mean"] for share in (0.0, 1.0))

    table = means_at(text, probability)

    expected = probability * sure + (1.0 - probability) * never
    np.testing.assert_allclose(table["scenario_mean"], expected, rtol=1e-12)
    np.testing.assert_array_equal(table["certain_mean"], sure)
    np.testing.assert_array_equal(table["never_mean"], never)
    assert (sure < never).any()


def test_of_two_acts_each_has_its_own_probability() -> None:
    asked = snapshot()
    both = f"{ANNOUNCED}, probability: 0.2}}, {NEW_BAN.removeprefix('events: [')}"
    scenario = make_scenario(f"{both}, probability: 0.7}}]", asked)

    (first, most), (second, one), (last, none) = scenario.branches

    assert (first, second, last) == (0.2, 0.7, 1.0)
    assert [act.probability for act in most.events] == [1.0, 1.0]
    assert [(act.event_id, act.probability) for act in one.events] == [("to-come", 0.0), ("ban", 1)]
    assert [act.event_id for act in none.events] == ["to-come"]


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


RATE = 0.04


def test_as_many_paths_are_hit_by_each_month_as_the_rate_states() -> None:
    origin = make_origin()

    kept = effect_at(origin, (halted_analog(),), rate=RATE, count=4000).retained[:, 0]

    ahead = np.maximum(origin.targets - origin.today, 0)
    np.testing.assert_allclose((kept != 1.0).mean(axis=0), 1.0 - (1.0 - RATE) ** ahead, atol=0.002)
    hit = kept != 1.0
    assert (hit[:, 1:] >= hit[:, :-1]).all()


@pytest.mark.parametrize(("rate", "analogs"), [(0.0, (halted_analog(),)), (RATE, ())])
def test_without_a_rate_or_an_analog_nothing_bears_on_the_forecast(
    rate: float, analogs: tuple[object, ...]
) -> None:
    assert effect_at(make_origin(), analogs, rate=rate).is_none


@pytest.mark.parametrize("name", ["WLD", "EU27"])
def test_the_total_that_no_known_control_reaches_keeps_its_own_band(name: str) -> None:
    origin = make_origin()
    spread = {name: 0.02}
    level = origin.tonnes[:, -1]
    width = np.array([spread.get(one, 0.4) for one in origin.series])
    steps = np.linspace(-1.3, 1.3, len(QUANTILES))
    plain = level[:, None] * np.exp(width[:, None] * steps)
    rows = np.repeat(plain, len(origin.targets), axis=0)
    table = pd.DataFrame(rows, columns=list(QUANTILE_COLUMNS)).assign(mean=1.0)
    effect = effect_at(origin, (halted_analog(),), rate=0.002)

    answer = respond(table, effect, origin)

    found = answer.iloc[(origin.series.index(name) + 1) * len(origin.targets) - 1]
    own = plain[origin.series.index(name)]
    if name != "WLD":
        assert found["p90"] > 1.1 * own[QUANTILES.index(0.9)]
        return
    assert found["p50"] == pytest.approx(own[QUANTILES.index(0.5)], rel=0.01)
    assert found["p90"] == pytest.approx(own[QUANTILES.index(0.9)], rel=0.01)
    assert found["p10"] < own[QUANTILES.index(0.1)]
