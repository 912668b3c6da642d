import numpy as np
import pandas as pd
import pytest

from features.controls.cross_material import LONGEST, NAMES, CrossMaterial, GroupMember
from features.months import month_number
from tests.data.builders import at
from tests.data.material_builders import make_material_events

GOODS = (
    GroupMember("811292", ("gallium",)),
    GroupMember("250410", ("natural graphite",)),
    GroupMember("999999", ()),
)
PLACES = ("DEU", "USA", "WLD")
FIRST = month_number("2022-01")
CUTOFF = month_number("2023-12")


def make_cross(events: pd.DataFrame, *, as_of: str = "2024-01-25") -> CrossMaterial:
    """Build features of three goods to three places, known up to December 2023."""
    months = CUTOFF - FIRST + 1
    totals = np.full((3, months), 100.0)
    totals[0, month_number("2023-08") - FIRST :] = 20.0
    return CrossMaterial(
        members=GOODS,
        commodity_of=np.repeat(np.arange(3), 3),
        place_of=PLACES * 3,
        totals=totals,
        first=FIRST,
        last=months - 1,
        horizon=3,
        as_of=at(as_of),
        events=events,
    )


def values_of(cross: CrossMaterial, name: str, *, origin: str = "2023-12") -> np.ndarray:
    """Return one feature by good, place and month."""
    found = cross(month_number(origin) - FIRST, slice(None))
    return found[:, :, NAMES.index(name)].reshape(3, 3, 3)


def gallium(**changes: str) -> dict[str, str]:
    return {
        "event_id": "ga", "announced_on": "2023-07-03", "effective_from": "2023-08-01",
        "material": "gallium", **changes,
    }  # fmt: skip


def test_a_control_is_reported_of_its_good_and_of_the_others_as_a_siblings() -> None:
    cross = make_cross(make_material_events(gallium()))

    np.testing.assert_allclose(values_of(cross, "own_control")[:, 0, 0], [0.8, 0.0, 0.0])
    np.testing.assert_allclose(values_of(cross, "sibling_strength")[:, 0, 0], [0.0, 0.8, 0.4])
    np.testing.assert_allclose(values_of(cross, "sibling_share")[:, 0, 0], [0.0, 1.0, 0.5])
    years = values_of(cross, "sibling_years")[:, 0, 0]
    assert (years[0], years[1]) == (LONGEST, pytest.approx(5.5 / 12, abs=0.02))


def test_what_a_sibling_keeps_is_read_from_months_up_to_the_origin() -> None:
    cross = make_cross(make_material_events(gallium()))

    np.testing.assert_allclose(
        values_of(cross, "sibling_kept_log")[:, 0, 0], [0.0, np.log(0.2), np.log(0.2)], rtol=1e-4
    )
    assert not values_of(cross, "sibling_kept_log", origin="2023-07").any()


def test_an_act_on_one_destination_is_reported_of_it_alone() -> None:
    cross = make_cross(make_material_events(gallium(destinations="USA")))

    np.testing.assert_allclose(values_of(cross, "own_control")[0, :, 0], [0.0, 0.8, 0.0])
    np.testing.assert_allclose(values_of(cross, "sibling_share")[1, :, 0], [0.0, 1.0, 0.0])


def test_an_announced_control_is_pending_until_it_binds() -> None:
    cross = make_cross(
        make_material_events(gallium(announced_on="2024-01-20", effective_from="2024-02-01"))
    )

    np.testing.assert_allclose(values_of(cross, "sibling_pending")[1, 0], [0.8, 0.0, 0.0])
    np.testing.assert_allclose(values_of(cross, "sibling_share")[1, 0], [0.0, 1.0, 1.0])


def test_goods_of_one_announcement_are_named_together() -> None:
    graphite = gallium(event_id="gr", material="natural graphite")

    together = make_cross(make_material_events(gallium(), graphite))
    apart = make_cross(make_material_events(gallium(), {**graphite, "announced_on": "2023-07-04"}))

    np.testing.assert_array_equal(values_of(together, "named_together")[:, 0, 0], [1.0, 1.0, 0.0])
    assert not values_of(apart, "named_together").any()


def test_a_suspension_and_words_on_technology_weaken_a_control() -> None:
    halted = make_material_events(gallium(suspended_from="2023-11-01"))
    words = make_material_events(gallium(products="extraction technology"))

    assert not values_of(make_cross(halted), "own_control").any()
    np.testing.assert_allclose(values_of(make_cross(words), "own_control")[0, 0, 0], 0.08)


@pytest.mark.parametrize("origin", ["2023-12", "2023-06", "2023-05"])
def test_what_is_announced_after_an_origins_moment_changes_no_feature(origin: str) -> None:
    moment = make_cross(make_material_events(gallium())).known_on(month_number(origin) - FIRST)
    later = (moment + pd.Timedelta(days=1)).strftime("%Y-%m-%d")
    news = {**gallium(event_id="new"), "announced_on": later, "effective_from": later}

    before = make_cross(make_material_events(gallium()))
    after = make_cross(make_material_events(gallium(), news))

    column = month_number(origin) - FIRST
    np.testing.assert_array_equal(before(column, slice(None)), after(column, slice(None)))


def test_origins_stay_as_far_from_their_month_as_the_cutoff_does() -> None:
    cross = make_cross(make_material_events(gallium()), as_of="2024-03-25")

    assert cross.known_on(month_number("2023-05") - FIRST) == at("2023-08-25")


def test_some_series_are_reported_the_same_as_all() -> None:
    cross = make_cross(make_material_events(gallium()))
    whole = cross(23, slice(None))

    np.testing.assert_array_equal(cross(23, np.array([1, 4])), whole[[1, 4]])
