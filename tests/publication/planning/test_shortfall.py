from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.forecasting.firm_needs import Firm, FirmOutlook, cover_from, outlook_of, running_gap
from models.forecasting.joint_paths import quantiles_of_sums
from publication.language.phrases import in_language
from publication.planning.needs import transit_of
from publication.words import message_of
from service.lever_form import typed_months
from service.stock import question_in
from store.errors import DataError
from tests.data.builders import at

ALONE = np.array([[50.0, 50.0], [50.0, 150.0], [150.0, 50.0], [150.0, 150.0]])
"""Two months that know nothing of each other: each is 50 or 150."""

ALIKE = np.array([[50.0, 50.0], [50.0, 50.0], [150.0, 150.0], [150.0, 150.0]])
"""Two months that are always alike, each as likely 50 or 150 as before."""


def gaps(paths: np.ndarray) -> list[float]:
    """Largest cumulative shortage of each path at a need of 100 t a month."""
    return running_gap(paths, np.full(paths.shape[1], 100.0)).max(axis=1).tolist()


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (ALONE, [100.0, 50.0, 50.0, 0.0]),
        (ALIKE, [100.0, 100.0, 0.0, 0.0]),
        # A surplus fills the stock up and no further.
        (np.array([[150.0, 80.0], [60.0, 120.0], [60.0, 60.0]]), [20.0, 40.0, 80.0]),
        (np.array([[60.0, 130.0, 50.0]]), [60.0]),
    ],
)
def test_the_largest_shortage_of_a_path_is_what_its_months_leave_open(
    paths: np.ndarray, expected: list[float]
) -> None:
    assert gaps(paths) == expected


SPREAD = np.array([[60.0, 70.0, 85.0, 100.0, 115.0, 130.0, 140.0]] * 6)


def spread_outlook(tonnes: float, *, stock: float = 0.0, carry: float = 0.7) -> FirmOutlook:
    """Outlook over six months of a firm that takes all of its country's trade."""
    months = list(pd.date_range("2026-12-01", periods=6, freq="MS"))
    firm, day = Firm(tonnes, stock), at("2026-12-01")
    return outlook_of(firm, months, SPREAD, tonnes, carry=carry, as_of=day)


def test_a_stock_covers_less_the_more_an_error_persists() -> None:
    stocks = [spread_outlook(100.0, carry=carry).stock_90 for carry in (0.0, 0.7, 1.0)]

    assert stocks == sorted(stocks)
    # All months alike: the path at the 10% quantile falls short by 30 t each month.
    assert stocks[-1] == pytest.approx(180.0, abs=6.0)
    assert stocks[0] < 110.0


@given(st.tuples(st.floats(1.0, 1e4), st.floats(1.0, 1e4)), st.floats(0, 1e4))
def test_a_stock_never_falls_with_the_need_and_chances_never_rise_with_it(
    needs: tuple[float, float], stock: float
) -> None:
    less, more = (spread_outlook(need) for need in sorted(needs))
    with_stock = spread_outlook(max(needs), stock=stock)

    assert less.stock_90 <= more.stock_90 + 1e-6
    assert more.stock_90 <= more.stock_95
    assert list(more.chances_out) == sorted(more.chances_out)
    assert all(np.array(with_stock.chances_out) <= np.array(more.chances_out))


def test_the_band_of_a_sum_is_narrower_the_less_errors_persist() -> None:
    alike, usual, alone = (
        quantiles_of_sums(SPREAD[None, :3], carry)[0] for carry in (1.0, 0.7, 0.0)
    )

    # All months alike: the quantiles of the sum are the sums of the quantiles.
    assert alike == pytest.approx(3.0 * SPREAD[0], abs=4.0)
    widths = [found[-2] - found[1] for found in (alike, usual, alone)]
    assert widths == sorted(widths, reverse=True)
    # Three independent months: the width grows with the square root of their number.
    assert widths[2] == pytest.approx(60.0 * 3**0.5, rel=0.05)


AHEAD = list(pd.date_range("2026-12-01", periods=3, freq="MS"))
EVEN = np.full((3, 7), 500.0)
"""A country that surely gets half of a normal month of 1,000 t."""


def outlook(firm: Firm, quantiles: np.ndarray = EVEN) -> FirmOutlook:
    return outlook_of(firm, AHEAD, quantiles, 1000.0, carry=0.7, as_of=at("2026-12-01"))


def test_a_lead_time_counts_unless_as_much_is_on_order() -> None:
    plant = Firm(10.0, stock=12.0)

    later = [outlook(replace(plant, lead_days=days), 2 * EVEN) for days in (0, 60, 90)]
    ordered = outlook(replace(plant, lead_days=62, on_order=20.0), 2 * EVEN)

    assert [one.chances_out[-1] for one in later] == [0.0, 1.0, 1.0]
    assert [one.out_in for one in later] == [None, "2027-01", "2027-01"]
    assert [one.stock_90 for one in later] == pytest.approx([0.0, 19.35, 30.0], abs=0.01)
    assert ordered.chances_out[-1] == 0.0


def test_a_firm_gets_of_its_need_what_its_country_gets_of_a_normal_month() -> None:
    half = outlook(Firm(10.0, stock=11.0))

    assert (half.out_in, half.chance_short) == ("2027-02", 1.0)
    assert (half.stock_90, half.stock_95) == pytest.approx((15.0, 15.0), rel=0.01)
    assert outlook(Firm(10.0, stock=16.0)).out_in is None


def test_grade_licence_rule_and_single_months_change_what_a_firm_gets() -> None:
    firms = {
        "other grade": Firm(10.0, controlled=False),
        "served first": Firm(10.0, licensed_first=True),
        "no licence": Firm(10.0, licence_days=90, licensed_first=True),
        "one month": Firm(10.0, by_month={"2027-01": 30.0}),
    }

    stocks = {name: outlook(firm).stock_90 for name, firm in firms.items()}

    assert stocks == pytest.approx(
        {"other grade": 0.0, "served first": 0.0, "no licence": 30.0, "one month": 25.0}, abs=0.1
    )


def test_a_stock_reaches_as_far_as_the_need_lets_it_and_is_ordered_a_lead_time_before() -> None:
    day, other = at("2026-11-25"), at("2026-12-01")
    cover = cover_from(day, Firm(12.0, stock=24.0, lead_days=30), 15, today=day)
    idle = cover_from(other, Firm(12.0, stock=24.0, by_month={"2026-12": 0.0}), 0, today=other)

    assert f"{cover.reach_on:%Y-%m-%d} {cover.order_by:%Y-%m-%d}" == "2027-01-24 2026-12-10"
    assert f"{cover.arrives_on:%Y-%m-%d} {cover.days_late}" == "2027-01-09 0"
    assert f"{cover.cleared_on:%Y-%m-%d}" == "2026-12-25"
    assert cover.weeks == pytest.approx(24 / 12 * 30.44 / 7)
    assert f"{idle.reach_on:%Y-%m-%d}" == "2027-03-02", "December needs nothing"


PLANT = Firm(20.0, stock=30.0, lead_days=60)
"""A month and a half of stock."""


def test_a_stock_lasts_from_the_start_of_its_need_and_an_order_may_be_too_late() -> None:
    today = at("2026-12-01")

    now, later = (cover_from(start, PLANT, 45, today=today) for start in (today, at("2027-06-01")))

    assert f"{now.reach_on:%Y-%m-%d} {later.reach_on:%Y-%m-%d}" == "2027-01-15 2027-07-16"
    assert f"{later.order_by:%Y-%m-%d}" == "2027-04-02"
    assert later.days_late == 0
    late = cover_from(today, replace(PLANT, lead_days=15), 45, today=today)
    assert (late.days_late, f"{late.arrives_on:%Y-%m-%d}") == (15, "2027-01-30")


@pytest.mark.parametrize(("name", "most"), [("DEU", 45), ("KOR", 10), ("WLD", 50), ("BRA", 50)])
def test_every_destination_has_a_transit_time(name: str, most: int) -> None:
    assert transit_of(name)[1] == most


@given(st.lists(st.floats(1.0, 1e4), min_size=3, max_size=3), st.floats(0.0, 1.0))
def test_lower_exports_never_lower_the_chance_of_running_out(
    falls: list[float], kept: float
) -> None:
    lower = EVEN * np.array([[1.0 - kept * fall / 1e4] for fall in falls])
    wide = np.linspace(0.4, 1.6, 7)

    chances = [outlook(Firm(10.0, stock=4.0), months * wide) for months in (EVEN, lower)]

    before, after = chances
    assert all(np.array(after.chances_out) >= np.array(before.chances_out))
    assert after.chance_short >= before.chance_short


@pytest.mark.parametrize(
    ("code", "typed", "expected"),
    [
        ("en", "2026-12 14,5\n2027-01\t1,000", {"2026-12": 14.5, "2027-01": 1000.0}),
        ("de", "2026-12 14,5; 2027-01 1.000", {"2026-12": 14.5, "2027-01": 1000.0}),
        ("de", "2026-12 1,000", {"2026-12": 1.0}),
        ("ja", "2026-12: 14.5, 2027-01: 1,000", {"2026-12": 14.5, "2027-01": 1000.0}),
    ],
)
def test_months_are_read_by_the_sign_of_the_language(
    code: str, typed: str, expected: dict[str, float]
) -> None:
    with in_language(code):
        assert typed_months(typed) == expected
        assert question_in({"destination": "DEU", "tonnes": "1", "by_month": typed}).tonnes == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tonnes": "much"}, 'Tonnes a month: "much" is not a plain number'),
        ({"tonnes": "12", "lead_days": "soon"}, "Days from order to clearance: "),
        ({"tonnes": "12", "lead_days": "45.5"}, "45.5 is not a whole number. Write it as 45."),
        ({"tonnes": "12", "by_month": "2027-01 1 2027-01 2"}, "2027-01 is entered twice."),
        ({"tonnes": "12", "by_month": "2027"}, "single months, as copied from a sheet: “2027” is"),
        ({"tonnes": "-1"}, "Tonnes a month: '-1' is out of range. Expected more than 0."),
    ],
)
def test_a_question_that_makes_no_sense_names_its_field(fields: dict[str, str], words: str) -> None:
    with pytest.raises(DataError) as caught:
        question_in({"destination": "DEU", **fields})

    assert words in message_of(caught.value)
