import pandas as pd
import pytest

from features.months import month_number
from models.event_study.counterfactual import (
    StudiedEvent,
    act_of,
    comparable_dates,
    fake_dates,
    hit_by,
    is_calm,
    months_known,
)
from store.errors import DataError
from tests.data.attribution_builders import EVENT, control, world_with_a_fall
from tests.data.builders import at, make_events

NOW = at("2021-11-25")


def make_act(*others: dict[str, object], **changes: object) -> StudiedEvent:
    return act_of(make_events(control(**changes), *others), EVENT, as_of=at("2026-11-25"))


@pytest.mark.parametrize(
    ("named", "hit"),
    [
        ("USA", ("USA",)),
        ("JPN;USA", ("USA", "JPN")),
        ("EU27", ("DEU", "ITA", "EU27_REST")),
        ("FRA", ("EU27_REST",)),
        ("USA;AUS", ("USA", "ROW")),
    ],
)
def test_a_country_counts_where_the_panel_holds_it(named: str, hit: tuple[str, ...]) -> None:
    assert hit_by(named) == hit


def test_an_act_on_the_world_leaves_nobody_alone() -> None:
    assert len(hit_by("USA;WLD")) == 10


def test_an_event_is_as_known_at_the_moment() -> None:
    act = make_act()

    assert act.announced == at("2021-06-10")
    assert act.first == month_number("2021-06")
    with pytest.raises(DataError, match="No policy event '2021-06-control' is known on 2021-06-09"):
        act_of(make_events(control()), EVENT, as_of=at("2021-06-09"))


def test_a_scheduled_date_is_no_event() -> None:
    with pytest.raises(DataError, match="is a scheduled date, not an act"):
        make_act(evidence="scheduled")


def test_only_strong_acts_disturb_the_calm() -> None:
    strong = {"event_id": "2020-05-strong", "announced_on": "2020-05-20"}
    weak = {"event_id": "2020-08-weak", "announced_on": "2020-08-20", "instrument": "other"}
    act = make_act(strong, weak)

    calm = [is_calm(act, month_number(first), months=3) for first in ("2020-02", "2020-03")]
    assert calm == [True, False]
    assert not is_calm(act, month_number("2020-05"), months=3)
    assert is_calm(act, month_number("2020-06"), months=3)


def test_fake_dates_are_the_same_day_of_earlier_months() -> None:
    dates = fake_dates(at("2020-04-04"))

    assert dates == [at(day) for day in ("2020-01-04", "2020-02-04", "2020-03-04")]


@pytest.mark.slow
def test_windows_of_fake_dates_end_before_the_event() -> None:
    history = world_with_a_fall().history()

    dates = comparable_dates(history, make_act(), months=4)

    assert dates[0] == at("2020-01-10")
    assert dates[-1] == at("2021-02-10")


def test_months_after_an_event_must_be_known() -> None:
    act = make_act()

    assert months_known(act, month_number("2021-08"), months=12) == 3
    assert months_known(act, month_number("2023-08"), months=12) == 12
    with pytest.raises(DataError, match=r"No month after event .* the last one is 2021-05"):
        months_known(act, month_number("2021-05"), months=12)


def test_of_an_event_on_a_first_of_month_a_month_less_is_foreseen() -> None:
    act = make_act(announced_on="2021-06-01", effective_from="2021-06-01")

    assert months_known(act, month_number("2023-08"), months=12) == 11


def test_an_event_without_a_past_is_refused() -> None:
    act = make_act(announced_on="2020-06-10", effective_from="2020-06-10")

    with pytest.raises(DataError, match=r"too early for a history: 2 fake dates .* at least 8"):
        comparable_dates(world_with_a_fall().history(), act, months=4)


def test_acts_beside_the_event_are_reported_with_whom_they_touch() -> None:
    act = make_act({"event_id": "2021-07-other", "announced_on": "2021-07-01"})

    assert act.shocks["event_id"].tolist() == ["2021-07-other"]
    assert len(act.shocks["hit"].iloc[0]) == 10
    assert act.shocks["announced_on"].iloc[0] == pd.Timestamp("2021-07-01")
