from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.policy.paired_forecast import ScenarioSnapshot, paired
from tests.data.builders import make_events
from tests.data.scenario_builders import halted, make_scenario, make_standing

BAN = """
events:
  - {event_id: 2020-10-ban, instrument: export_ban, destinations: [JPN], effective_from: 2020-10-01,
     covers: magnets, covered_share: 1, covered_because: all}
"""
DUTY = """
events:
  - {event_id: 2020-10-duty, instrument: export_control, destinations: [WLD],
     effective_from: 2020-10-01, covers: magnets, covered_share: 1, covered_because: all}
"""
NO_POINTS = "tariffs: [{importer: USA, add_points: 0, effective_from: 2020-09-01}]"
TARIFF = "tariffs: [{importer: USA, rate_pct: %s, effective_from: %s}]"


def months_of(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return one column as months x destinations."""
    return table.reset_index().pivot_table(index="period", columns="destination", values=column)


def answer(text: str, snapshot: ScenarioSnapshot | None = None) -> pd.DataFrame:
    found = make_standing() if snapshot is None else snapshot
    return paired(found, make_scenario(text, found)).table.set_index(["destination", "period"])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("events: []", id="no levers"),
        pytest.param(TARIFF % ("2.1", "2020-09-01"), id="the rate of today"),
        pytest.param(NO_POINTS, id="no points"),
        pytest.param(
            "events: [{event_id: 2018-09-control, direction: neutral}]", id="an act as it is"
        ),
        pytest.param(TARIFF % ("60", "2022-01-01"), id="beyond the last month"),
    ],
)  # fmt: skip
def test_zero_change_makes_exactly_zero_difference(text: str) -> None:
    table = answer(text)

    differences = table[["difference_p10", "difference_mean", "difference_p90"]].to_numpy()
    np.testing.assert_array_equal(differences, 0.0)
    np.testing.assert_array_equal(table["base_p50"], table["scenario_p50"])
    np.testing.assert_array_equal(table["base_mean"], table["scenario_mean"])


def test_a_ban_falls_on_whom_it_hits_and_on_their_sum_alone() -> None:
    table = months_of(answer(BAN), "difference_mean")

    assert (table.loc["2020-10":, "JPN"] < 0).all()
    assert (table.loc["2020-10":, "WLD"] < 0).all()
    assert not table.drop(columns=["JPN", "WLD"]).any(axis=None)
    assert not table.loc[:"2020-09"].any(axis=None)


def test_an_uncertain_ban_has_both_outcomes_with_their_bands_and_the_weighted_mean() -> None:
    certain, table = answer(BAN), answer(BAN.replace("}", ", probability: 0.25}"))

    for level in ("p10", "p50", "p90", "mean"):
        np.testing.assert_array_equal(table[f"certain_{level}"], certain[f"scenario_{level}"])
        np.testing.assert_array_equal(table[f"never_{level}"], table[f"base_{level}"])
        np.testing.assert_array_equal(certain[f"never_{level}"], certain[f"scenario_{level}"])
    japan = table.loc[("JPN", "2020-12")]
    assert japan["scenario_mean"] == pytest.approx(0.75 * japan["base_mean"], rel=1e-3)
    assert japan["certain_p90"] < 1e-3 < 0.5 * japan["never_p10"]


def test_a_ban_lets_nothing_pass_unless_stated_and_what_it_stops_may_go_elsewhere() -> None:
    table, half = answer(BAN), answer(BAN.replace("}", ", kept_pct: 50, diverted_pct: 50}"))

    japan = table.loc["JPN"].loc["2020-11":]
    np.testing.assert_allclose(japan["scenario_p50"], 0.0, atol=1e-5)
    np.testing.assert_allclose(japan["difference_mean"], -japan["base_mean"], rtol=1e-3)
    lost = half.loc["JPN", "difference_mean"]["2020-11":]
    np.testing.assert_allclose(lost, -0.5 * japan["base_mean"], rtol=1e-3)
    np.testing.assert_allclose(
        half.loc["WLD", "difference_mean"]["2020-11":], 0.5 * lost, rtol=0.02
    )
    assert (half.loc["USA", "difference_mean"]["2020-11":] > 0).all()
    assert japan["warning"].str.contains("Assumed, not estimated").all()


def test_a_control_is_answered_by_its_analogs() -> None:
    hard, mild = (
        answer(DUTY, make_standing(analogs=(halted("a", kept=k), halted("b", kept=k))))
        for k in (0.5, 5.0)
    )

    world = ("WLD", "2020-11")
    assert hard.loc[world, "scenario_p50"] < 0.5 * mild.loc[world, "scenario_p50"]
    assert hard.loc[world, "scenario_p50"] < 0.5 * hard.loc[world, "base_p50"]


@pytest.mark.parametrize(
    ("strictness", "kept", "words"),
    [
        ("hardest", 1.0, ("the lowest month of any licences on record: 2% left in month 1, and "
         "under 80% for over 12 months.")),
        ("hardest", 3.0, ("the lowest month of any licences on record: 5% left in month 1, 80% "
         "again in month 6.")),
        ("minerals", 3.0, ("the licences on 2 other minerals: 16% left in month 1, 80% again in "
         "month 6.")),
    ],
)  # fmt: skip
def test_a_licence_says_what_it_is_as_strict_as_and_what_that_one_left(
    strictness: str, kept: float, words: str
) -> None:
    snapshot = make_standing(analogs=tuple(halted(name, kept=kept) for name in "ab"))
    text = DUTY.replace("covers:", f"strictness: {strictness}, covers:")

    [note] = paired(snapshot, make_scenario(text, snapshot)).notes

    assert str(note) == f"2020-10-duty: as strict as {words}"


def test_news_of_a_later_month_changes_no_earlier_one() -> None:
    text = DUTY.replace("effective_from", "announced_on: 2020-09-15, effective_from")

    table = months_of(answer(text), "difference_mean")

    assert not table.loc[:"2020-09"].any(axis=None)
    assert (table.loc["2020-10":, "USA"] < 0).all()


def test_a_rate_beyond_the_record_gets_the_highest_on_it_and_a_warning() -> None:
    beyond, highest = (
        answer(TARIFF % ("400", "2020-10-01")),
        answer(TARIFF % ("102.1", "2020-10-01")),
    )

    assert beyond.loc[("USA", "2021-01"), "warning"]
    assert not beyond.loc[("JPN", "2021-01"), "warning"]
    np.testing.assert_array_equal(beyond["scenario_p50"], highest["scenario_p50"])


def test_a_lapse_of_an_observed_control_brings_trade_back_towards_the_level_before() -> None:
    events = make_events({"event_id": "observed", "effective_from": "2020-04-04"})
    low = make_standing(events=events)
    tonnes = low.origin.tonnes.copy()
    tonnes[:, -3:] *= 0.3
    low = ScenarioSnapshot(
        low.as_of, replace(low.origin, tonnes=tonnes), low.analogs, low.published * 0.5,
        low.ordinary * 0.5,
    )  # fmt: skip

    gain = answer("events: [{event_id: observed, effective_to: 2020-09-30}]", low)

    usa = gain.loc["USA"]
    assert not usa["difference_mean"][:"2020-08"].any()
    assert usa["difference_mean"]["2020-11"] > 0
    assert usa["scenario_p50"]["2021-06"] < 1.2 * tonnes[0, 0]


def test_a_licence_lets_nothing_pass_a_ban() -> None:
    licensed = make_standing(events=make_events({"event_id": "licence"}))

    ban, duty = (
        answer(BAN.replace("export_ban", kind), licensed).loc[("JPN", "2020-12")]
        for kind in ("export_ban", "export_control")
    )

    assert ban["scenario_p50"] < 0.5 * ban["base_p50"]
    assert duty["scenario_p50"] > 0.8 * duty["base_p50"]


def test_a_relaxation_that_ends_frees_no_more() -> None:
    events = make_events({"event_id": "observed", "effective_from": "2020-04-04"})
    asked = make_standing(events=events)
    low = replace(asked, published=asked.published * 0.4, ordinary=asked.ordinary * 0.4)
    act = (
        "event_id: eased, instrument: export_licence_relaxation, destinations: [WLD], "
        "effective_from: 2020-09-01, covers: magnets, covered_share: 1, covered_because: all"
    )

    lasting, passing = (
        answer(f"events: [{{{act}{end}}}]", low).loc["USA", "difference_mean"]
        for end in ("", ", effective_to: 2020-11-30")
    )

    assert passing["2020-11"] == pytest.approx(lasting["2020-11"])
    assert passing["2021-05"] < 0.2 * lasting["2021-05"]
