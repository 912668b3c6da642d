import pandas as pd
import pytest

from features.controls.controls import controls_at
from features.controls.levers import announcement_months, warnings_of, with_levers
from features.families.tariffs import monthly_rates
from store.months import month_number
from store.schema.scenario import Scenario
from tests.data.builders import make_events
from tests.data.scenario_builders import make_scenario, make_standing

SNAPSHOT = make_standing()
ORIGIN = SNAPSHOT.origin


def levers(text: str) -> Scenario:
    return make_scenario(text, SNAPSHOT)


def usa_rates(text: str) -> list[float]:
    """Return the rates of July 2020 to March 2021."""
    then = with_levers(ORIGIN, levers(text))
    return [round(float(rate), 6) for rate in monthly_rates(then, ORIGIN.targets)[0][:9]]


def test_a_whole_rate_holds_from_its_day_to_its_end() -> None:
    lever = "importer: USA, rate_pct: 60, effective_from: 2020-10-01, effective_to: 2020-11-30"

    assert usa_rates(f"tariffs: [{{{lever}}}]") == [2.1, 2.1, 2.1, 60, 60, 2.1, 2.1, 2.1, 2.1]


def test_points_come_on_top() -> None:
    assert usa_rates("tariffs: [{importer: USA, add_points: 10, effective_from: 2020-12-01}]") == [
        2.1, 2.1, 2.1, 2.1, 2.1, 12.1, 12.1, 12.1, 12.1,
    ]  # fmt: skip


def test_a_new_act_is_a_control_like_any_other() -> None:
    text = (
        "events: [{event_id: new, instrument: export_ban, destinations: [JPN], "
        "covers: magnets, covered_share: 1, covered_because: all, "
        "effective_from: 2020-10-01, kept_pct: 25}]"
    )

    (control,) = controls_at(with_levers(ORIGIN, levers(text)))

    assert control.event_id == "new"
    assert [name for name, hit in zip(ORIGIN.series, control.hit, strict=True) if hit] == ["JPN"]
    assert control.passing == 0.25


def test_a_known_act_gets_its_new_dates_alone() -> None:
    asked = make_standing(events=make_events({"event_id": "known"}))
    scenario = make_scenario("events: [{event_id: known, effective_to: 2020-12-31}]", asked)

    then = with_levers(asked.origin, scenario)

    assert then.events["effective_to"].iloc[0] == pd.Timestamp("2020-12-31")
    changed = ["effective_to", "kept_pct", "probability", "diverted_pct"]
    pd.testing.assert_frame_equal(
        then.events.drop(columns=changed), asked.origin.events.drop(columns=changed[:1])
    )


def test_news_come_in_the_months_they_are_announced_in() -> None:
    later = "{importer: USA, rate_pct: 9, announced_on: 2020-09-03, effective_from: 2020-10-01}"
    act = (
        "{event_id: n, instrument: quota, destinations: [JPN], effective_from: 2020-10-01, "
        "covers: magnets, covered_share: 1, covered_because: all}"
    )
    asked = levers(f"tariffs: [{later}]\nevents: [{act}]")

    assert announcement_months(asked, ORIGIN) == [month_number("2020-07"), month_number("2020-09")]
    early = with_levers(ORIGIN, asked, month_number("2020-08"))
    assert ORIGIN.tariffs is not None
    assert len(early.tariffs) == len(ORIGIN.tariffs)
    assert "n" in set(early.events["event_id"])


def tariff(change: str, since: str = "2020-10-01") -> str:
    return f"tariffs: [{{{change}, effective_from: {since}}}]"


def act(change: str, since: str = "2020-10-01", covers: str = "magnets, covered_share: 1") -> str:
    fixed = f"event_id: n, destinations: [JPN], covers: {covers}, covered_because: all"
    return f"events: [{{{fixed}, effective_from: {since}, {change}}}]"


FEW = "dual_use, covered_share: 0.3"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (tariff("importer: USA, rate_pct: 120"), "above the highest on record, 102.1%"),
        (tariff("importer: USA, add_points: -10"), "-7.9% is below zero and is computed as 0%"),
        (tariff("importer: ROW, add_points: 5"), "rate of ROW is not known and counts as 0%"),
        (tariff("importer: USA, rate_pct: 9", "2022-10-01"), "tariff of USA starts after 2021-06"),
        (act("instrument: export_control", covers=FEW), "n covers too little of the trade"),
        (act("instrument: export_ban", "2022-10-01"), "n starts after 2021-06"),
        (act("instrument: truce"), "as a truce needs one"),
    ],
)
def test_what_the_record_cannot_answer_is_warned_of(text: str, said: str) -> None:
    assert [one for one in warnings_of(ORIGIN, levers(text)) if said in str(one.text)]


def test_an_ordinary_question_gets_no_warning() -> None:
    asked = levers("tariffs: [{importer: USA, rate_pct: 30, effective_from: 2020-10-01}]")

    assert warnings_of(ORIGIN, asked) == []
