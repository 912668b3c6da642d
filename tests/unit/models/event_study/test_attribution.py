from functools import cache

import pandas as pd
import pytest

from features.months import month_number
from models.event_study.attribution import Attribution, attribute
from models.event_study.counterfactual import act_of
from store.vocabulary import DESTINATIONS
from tests.data.attribution_builders import EVENT, planted_loss, world_with_a_fall
from tests.data.builders import QUICK, World, at, poisoned

pytestmark = pytest.mark.slow

AS_OF = at("2021-11-25")
MONTHS = 4


def attributed(world: World) -> Attribution:
    act = act_of(world.events, EVENT, as_of=AS_OF)
    return attribute(world.history(), act, as_of=AS_OF, spec=QUICK, months=MONTHS)


@cache
def on_one() -> Attribution:
    """Return what an event on the USA did."""
    return attributed(world_with_a_fall())


def on_others(named: str) -> Attribution:
    """Return what the same months show of an event on others; their panels are solved already."""
    on_one()
    world = world_with_a_fall(named=named)
    for panel in world_with_a_fall().history()._panels.values():
        world.history().keep(panel)
    return attributed(world)


def total(found: Attribution, destination: str, way: str, part: str) -> pd.Series:
    rows = found.totals
    key = (rows["destination"] == destination) & (rows["way"] == way) & (rows["part"] == part)
    assert key.sum() == 1
    return rows.loc[key].iloc[0]


def test_a_planted_fall_is_found_in_its_months_and_within_the_band() -> None:
    found = on_one()

    row = total(found, "USA", "as_of", "fall")
    assert (found.whole, found.fall) == ("USA", 2)
    assert (row["first_period"], row["last_period"]) == ("2021-06", "2021-07")
    assert row["missing_p10"] < sum(planted_loss("USA").values()) < row["missing_p90"]
    assert row["missing_p10"] > 0
    assert row["rank"] == 1


def test_the_synthetic_control_finds_the_planted_fall_too() -> None:
    row = total(on_one(), "USA", "synthetic", "fall")

    assert row["missing_p10"] < sum(planted_loss("USA").values()) < row["missing_p90"]
    assert row["rank"] == 1


def test_no_donor_was_hit() -> None:
    weights = on_one().weights

    assert set(weights["target"]) == {"USA"}
    assert set(weights["donor"]) == set(DESTINATIONS) - {"USA"}
    assert weights["weight"].sum() == pytest.approx(1.0)


def test_an_event_on_two_is_reported_of_both_together_and_donors_are_neither() -> None:
    found = on_others("USA;FRA")

    assert found.whole == "HIT"
    assert set(found.weights["target"]) == {"USA", "EU27_REST"}
    assert set(found.weights["donor"]) == set(DESTINATIONS) - {"USA", "EU27_REST"}
    rows = found.table.set_index(["destination", "period"])
    for column in ("actual_t", "without_p50", "lost_t"):
        parts = rows[column]["USA"] + rows[column]["EU27_REST"]
        pd.testing.assert_series_equal(rows[column]["HIT"], parts)


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


def test_what_came_is_the_panel_as_known_now() -> None:
    found = on_one()
    panel = world_with_a_fall().history().panel(AS_OF)

    usa = found.table.loc[found.table["destination"] == "USA"]
    start = month_number("2021-06") - panel.first
    assert (usa["actual_t"].to_numpy() == panel.tonnes[0, start : start + MONTHS]).all()
    assert set(usa["kind"]) == {"observed"}


def test_an_event_on_all_has_no_synthetic_control_and_nothing_displaced() -> None:
    found = on_others("WLD")

    assert found.whole == "WLD"
    assert set(found.totals["way"]) <= {"as_of", "less_hit"}
    assert found.table["displaced_t"].isna().all()
    assert set(found.weights["target"]) & set(found.weights["donor"]) == set()
    assert set(found.totals["destination"]) & {"OTHERS", "HIT"} == set()


def test_a_poisoned_future_leaves_the_result_the_same_to_the_bit() -> None:
    found = attributed(poisoned(world_with_a_fall(), AS_OF))

    pd.testing.assert_frame_equal(found.table, on_one().table, check_exact=True)
    pd.testing.assert_frame_equal(found.totals, on_one().totals, check_exact=True)
    pd.testing.assert_frame_equal(found.weights, on_one().weights, check_exact=True)
    assert (found.fall, found.depth, found.late) == (
        on_one().fall,
        on_one().depth,
        on_one().late,
    )
