from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.months import month_number
from models.engine.quantiles import Quantiles
from models.policy.policy_response import PanelResponse, known_on
from sources.files.controls import PanelControl
from sources.files.dates import read_period
from store.frequency import Frequency
from store.vocabulary import QUANTILES
from tests.data.builders import bundled_world

FIRST = month_number("2018-01")
MONTHS = 6
P50 = QUANTILES.index(0.5)

CONTROL = PanelControl(
    event_id="act",
    announced_on=pd.Timestamp("2023-10-20"),
    effective_from=pd.Timestamp("2023-12-01"),
    effective_to=None,
    end_known_on=None,
    instrument="export_control",
    share=0.8,
    materials=("natural graphite", "artificial graphite"),
    hit=np.array([True, False, True]),
)


def tonnes_to(cutoff: str) -> np.ndarray:
    """Three flat series, known up to a month."""
    months = month_number(cutoff) - FIRST + 1
    return np.repeat(np.array([[100.0], [50.0], [10.0]]), months, axis=1)


def said(rows: tuple[int, ...] = (0, 1, 2)) -> Quantiles:
    """Flat forecasts with a tenth to either side."""
    level = np.array([100.0, 50.0, 10.0])[list(rows)]
    around = 1.0 + 0.2 * (np.array(QUANTILES) - 0.5)
    values = np.repeat((level[:, None] * around)[:, None, :], MONTHS, axis=1)
    mean = np.repeat(level[:, None], MONTHS, axis=1)
    return Quantiles(np.array(rows), values, mean, mean, {})


@cache
def response(*controls: PanelControl) -> PanelResponse:
    world = bundled_world()
    return PanelResponse(controls or (CONTROL,), world.analog_events, world.observations)


def answered(cutoff: str, *controls: PanelControl) -> np.ndarray:
    found = response(*controls).answered(said(), tonnes_to(cutoff), first=FIRST)
    return np.asarray(found.tonnes[:, :, P50])


def test_only_series_that_are_hit_fall_and_only_from_the_month_it_binds() -> None:
    found = answered("2023-09")

    np.testing.assert_array_equal(found[1], 50.0)
    np.testing.assert_allclose(found[[0, 2], :2], [[100.0] * 2, [10.0] * 2], rtol=0.02)
    assert (found[0, 2:4] < 60.0).all()
    assert (found[2, 2:4] < 6.0).all()


def test_a_control_is_not_known_before_it_is_announced() -> None:
    later = replace(CONTROL, announced_on=pd.Timestamp("2023-11-01"))

    np.testing.assert_array_equal(answered("2023-09", later), said().tonnes[:, :, P50])


def test_what_is_announced_in_the_month_after_the_cutoff_is_known_with_its_figures() -> None:
    assert known_on(month_number("2023-09")) == pd.Timestamp("2023-10-31")


def test_nothing_is_answered_before_any_other_control_was_felt() -> None:
    early = replace(
        CONTROL,
        announced_on=pd.Timestamp("2023-07-03"),
        effective_from=pd.Timestamp("2023-08-01"),
    )

    np.testing.assert_array_equal(answered("2023-06", early), said().tonnes[:, :, P50])


def test_controls_on_the_same_material_are_no_analogs() -> None:
    own = replace(CONTROL, materials=("gallium", "germanium"))

    np.testing.assert_array_equal(answered("2023-10", own), said().tonnes[:, :, P50])


def test_figures_published_later_change_no_bit() -> None:
    world = bundled_world()
    day = pd.Timestamp("2023-11-01", tz="UTC")
    figures = world.observations
    late = figures["available_at"] >= day
    poisoned = figures.assign(value=figures["value"].where(~late, 1e6))
    lying = PanelResponse((CONTROL,), world.analog_events, poisoned)

    found = lying.answered(said(), tonnes_to("2023-09"), first=FIRST)

    assert late.any()
    np.testing.assert_array_equal(found.tonnes[:, :, P50], answered("2023-09"))


def test_an_end_known_by_then_brings_trade_back() -> None:
    ended = replace(
        CONTROL,
        effective_to=pd.Timestamp("2023-12-31"),
        end_known_on=pd.Timestamp("2023-10-20"),
    )

    assert answered("2023-09", ended)[0, -1] > 1.5 * answered("2023-09")[0, -1]


def test_a_control_over_less_than_half_of_the_trade_is_left_to_the_ordinary_forecast() -> None:
    weak = replace(CONTROL, share=0.4)

    np.testing.assert_array_equal(answered("2023-09", weak), said().tonnes[:, :, P50])


def test_a_series_with_a_gap_since_its_control_stays_as_it_is() -> None:
    tonnes = tonnes_to("2024-01")
    tonnes[0, -1] = np.nan

    found = response().answered(said(), tonnes, first=FIRST).tonnes

    np.testing.assert_array_equal(found[0], said().tonnes[0])
    assert not np.array_equal(found[2], said().tonnes[2])


def test_a_series_that_began_shortly_before_its_control_stays_as_it_is() -> None:
    found = response().answered(said(), tonnes_to("2023-09")[:, -9:], first=month_number("2023-01"))

    np.testing.assert_array_equal(found.tonnes, said().tonnes)


@pytest.mark.parametrize("rows", [(0,), (0, 2)])
def test_quantiles_are_in_order_and_the_mean_among_them(rows: tuple[int, ...]) -> None:
    found = response().answered(said(rows), tonnes_to("2023-11"), first=FIRST)

    assert (np.diff(found.tonnes, axis=2) >= 0).all()
    assert (found.mean > found.tonnes[:, :, 0]).all()
    assert (found.mean < found.tonnes[:, :, -1]).all()


QUARTERLY = Frequency("quarter", 2, at_end=True, form="YYYY-MM-DD")
WEEKLY = Frequency("week", 3, form="YYYY-MM-DD")
"""Weeks that end on Sundays."""


def answered_in(frequency: Frequency, first: str, cutoff: str, horizon: int) -> np.ndarray:
    """Return the medians of flat series of other periods than months."""
    begin, last = read_period(first, frequency), read_period(cutoff, frequency)
    plain, alike = said(), np.zeros(horizon, dtype=int)
    longer = replace(plain, tonnes=plain.tonnes[:, alike], mean=plain.mean[:, alike])
    tonnes = np.repeat(np.array([[100.0], [50.0], [10.0]]), last - begin + 1, axis=1)
    found = response(CONTROL).answered(longer, tonnes, first=begin, frequency=frequency)
    return np.asarray(found.tonnes[:, :, P50])


def test_a_quarter_falls_by_what_its_months_do() -> None:
    found = answered_in(QUARTERLY, "2018-03-31", "2023-09-30", 3)

    np.testing.assert_array_equal(found[1], 50.0)
    by_month = answered("2023-09")[0]
    np.testing.assert_allclose(found[0, 0], by_month[:3].mean(), rtol=0.03)
    np.testing.assert_allclose(found[0, 1], by_month[3:6].mean(), rtol=0.05)


def test_weeks_fall_from_the_month_it_binds() -> None:
    found = answered_in(WEEKLY, "2018-01-07", "2023-10-29", 13)

    np.testing.assert_array_equal(found[1], 50.0)
    np.testing.assert_allclose(found[0, :4], 100.0, rtol=0.02)
    assert (found[0, 5:] < 60.0).all()


@pytest.mark.parametrize(
    ("frequency", "cutoff", "last"),
    [
        (QUARTERLY, "2023-09-30", "2023-10-31"),
        (WEEKLY, "2023-10-15", "2023-10-22"),
    ],
)
def test_announcements_are_known_a_month_after_quarters_and_a_week_after_weeks(
    frequency: Frequency, cutoff: str, last: str
) -> None:
    assert known_on(read_period(cutoff, frequency), frequency) == pd.Timestamp(last)


def test_a_week_does_not_know_a_control_announced_two_weeks_later() -> None:
    found = answered_in(WEEKLY, "2018-01-07", "2023-10-08", 13)

    np.testing.assert_array_equal(found, np.array([[100.0] * 13, [50.0] * 13, [10.0] * 13]))
