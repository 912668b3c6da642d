from dataclasses import replace
from functools import cache

import pandas as pd
import pytest

from features.panel.evidence_panel import PANEL_DESTINATIONS
from models.event_study import (
    Attribution,
    StudiedEvent,
    act_of,
    attribute,
    comparable_dates,
    hit_by,
    is_calm,
    months_known,
    paths_foreseen,
)
from store.errors import DataError
from store.months import month_number
from tests.data.attribution_builders import EVENT, control, planted_loss, world_with_a_fall
from tests.data.builders import QUICK, World, at, make_events, poisoned

AS_OF = at("2021-11-25")
MONTHS = 4


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


def test_an_event_is_as_known_at_the_moment() -> None:
    act = make_act()

    assert act.announced == at("2021-06-10")
    assert act.first == month_number("2021-06")
    with pytest.raises(DataError, match="lies in the future of 2021-06-09"):
        act_of(make_events(control()), EVENT, as_of=at("2021-06-09"))


def test_only_strong_acts_disturb_the_calm() -> None:
    strong: dict[str, object] = {"event_id": "2020-05-strong", "announced_on": "2020-05-20"}
    weak: dict[str, object] = {
        "event_id": "2020-08-weak",
        "announced_on": "2020-08-20",
        "instrument": "other",
    }
    act = make_act(strong, weak)

    calm = [is_calm(act, month_number(first), months=3) for first in ("2020-02", "2020-03")]
    assert calm == [True, False]
    assert not is_calm(act, month_number("2020-05"), months=3)
    assert is_calm(act, month_number("2020-06"), months=3)


def test_months_after_an_event_must_be_known() -> None:
    act = make_act()

    assert months_known(act, month_number("2021-08"), months=12) == 3
    assert months_known(act, month_number("2023-08"), months=12) == 12
    with pytest.raises(DataError, match=r"No month after event .* the last one is 2021-05"):
        months_known(act, month_number("2021-05"), months=12)


def test_an_event_without_a_past_is_refused() -> None:
    act = make_act(announced_on="2020-06-10", effective_from="2020-06-10")

    with pytest.raises(DataError, match=r"too early for a history: 2 placebo dates .* at least 8"):
        comparable_dates(world_with_a_fall().history(), act, months=4)


def attributed(world: World) -> Attribution:
    act = act_of(world.events, EVENT, as_of=AS_OF)
    return attribute(world.history(), act, as_of=AS_OF, parameters=QUICK, months=MONTHS)


@cache
def on_one() -> Attribution:
    """Return what an event on the USA did."""
    return attributed(world_with_a_fall())


@pytest.mark.slow
def test_a_planted_fall_is_found_in_its_months_and_within_the_band() -> None:
    found = on_one()

    row = found.total("USA", "fall")
    assert row is not None
    assert (found.touched, found.fall) == ("USA", 2)
    assert (row["first_period"], row["last_period"]) == ("2021-06", "2021-07")
    assert row["missing_p10"] < sum(planted_loss("USA").values()) < row["missing_p90"]
    assert row["missing_p10"] > 0
    assert row["rank"] == 1


@pytest.mark.slow
def test_lost_recovered_and_displaced_stay_where_they_belong() -> None:
    rows = on_one().table
    fall, hit, other = rows["part"] == "fall", rows["role"] == "hit", rows["role"] == "other"

    assert rows["lost_t"].notna().equals(fall & hit)
    assert rows["recovered_t"].notna().equals(~fall & hit)
    assert rows["displaced_t"].notna().equals(fall & other)
    assert set(rows.loc[rows["role"] == "sum", "destination"]) == {"WLD"}
    missing = rows["lost_t"].fillna(0.0) - rows["recovered_t"].fillna(0.0)
    usa = rows["destination"] == "USA"
    assert rows.loc[usa, "cumulated_t"].to_numpy() == pytest.approx(missing[usa].cumsum())


@pytest.mark.slow
def test_a_path_has_all_months_where_a_figure_after_the_world_is_known() -> None:
    world = world_with_a_fall()
    rows = world.observations
    is_early = rows["destination"].eq("USA") & rows["period_from"].eq("2021-04-01")
    early = rows["available_at"].mask(is_early, at("2021-05-05"))
    history = replace(world, observations=rows.assign(available_at=early)).history()

    [path] = paths_foreseen(history, [at("2021-05-10")], months=MONTHS, parameters=QUICK)

    assert history.origin(at("2021-05-09")).later is not None
    assert path.middle.shape == (len(PANEL_DESTINATIONS), MONTHS)


@pytest.mark.slow
def test_a_poisoned_future_leaves_the_result_the_same_to_the_bit() -> None:
    found = attributed(poisoned(world_with_a_fall(), AS_OF))

    pd.testing.assert_frame_equal(found.table, on_one().table, check_exact=True)
    pd.testing.assert_frame_equal(found.totals, on_one().totals, check_exact=True)
    assert (found.fall, found.depth, found.late) == (on_one().fall, on_one().depth, on_one().late)
