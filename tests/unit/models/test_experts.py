import numpy as np
import pytest

from models.experts import BASELINES, drift, last_value, seasonal_naive
from tests.data.builders import make_bare

NAN = float("nan")
YEAR = [float(month) for month in range(1, 13)]


def test_seasonal_naive_repeats_the_same_month_of_the_year_before() -> None:
    origin = make_bare({"A": [0.0] * 12 + YEAR}, horizon=14)

    assert list(seasonal_naive(origin)[0]) == [*YEAR, 1.0, 2.0]


def test_seasonal_naive_takes_the_last_value_where_that_month_is_unknown() -> None:
    origin = make_bare({"A": [1.0, NAN, *YEAR[2:]]}, horizon=3)

    assert list(seasonal_naive(origin)[0]) == [1.0, 12.0, 3.0]


def test_seasonal_naive_of_a_history_shorter_than_a_year_is_the_last_value() -> None:
    origin = make_bare({"A": [5.0, 6.0, 7.0]}, horizon=12)

    assert list(seasonal_naive(origin)[0]) == [7.0] * 9 + [5.0, 6.0, 7.0]


def test_last_value_skips_months_without_one() -> None:
    origin = make_bare({"A": [5.0, 6.0, NAN], "B": [1.0, NAN, 3.0]})

    assert last_value(origin).tolist() == [[6.0] * 3, [3.0] * 3]


def test_last_value_of_a_series_without_any_is_unknown() -> None:
    origin = make_bare({"A": [NAN, NAN], "B": [1.0, 2.0]})

    assert np.isnan(last_value(origin)[0]).all()


def test_drift_goes_on_by_the_mean_step_of_two_years() -> None:
    values = [1_000.0] * 10 + [100.0 + 2.0 * month for month in range(25)]

    origin = make_bare({"A": values})

    assert drift(origin)[0] == pytest.approx([150.0, 152.0, 154.0])


def test_drift_leaves_out_steps_into_and_out_of_gaps() -> None:
    origin = make_bare({"A": [10.0, 12.0, NAN, 50.0, 54.0]})

    assert drift(origin)[0] == pytest.approx([57.0, 60.0, 63.0])


def test_drift_never_goes_below_zero() -> None:
    origin = make_bare({"A": [30.0, 20.0, 10.0]})

    assert list(drift(origin)[0]) == [0.0, 0.0, 0.0]


def test_all_baselines_are_named() -> None:
    assert list(BASELINES) == ["seasonal_naive", "last_value", "drift"]
