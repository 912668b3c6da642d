import numpy as np
import pandas as pd
import pytest

from models.engine import date_features, lag_features

MONTHS = pd.DataFrame(
    {"A": np.arange(1.0, 15.0), "B": np.arange(101.0, 115.0)},
    index=pd.date_range("2020-01-01", periods=14, freq="MS"),
)
"""January 2020 to February 2021: 1 to 14 and 101 to 114."""


@pytest.mark.parametrize(
    ("lag", "expected"),
    [
        # A year before March, April and May 2021 are the third to fifth month.
        (12, [3.0, 4.0, 5.0]),
        # A month before April 2021 is not known, nor is one before May.
        (1, [14.0, np.nan, np.nan]),
        (14, [1.0, 2.0, 3.0]),
        (16, [np.nan, np.nan, 1.0]),
    ],
)
def test_a_lag_counts_back_from_each_month_ahead(lag: int, expected: list[float]) -> None:
    values = lag_features([lag], {})[f"lag{lag}"](MONTHS, 3)

    np.testing.assert_array_equal(values, np.column_stack([expected, np.add(expected, 100.0)]))


def test_a_transform_is_of_the_months_up_to_the_lag() -> None:
    of_three = lag_features([], {2: [lambda months: months.rolling(3).sum()]})["transform0_lag2"]

    # Two months before March 2021: November, December and January, 11 + 12 + 13.
    np.testing.assert_array_equal(of_three(MONTHS, 1), [[36.0, 336.0]])


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("RollingMean", {"window_size": 3, "min_samples": None}, 12.0),
        ("RollingMin", {"window_size": 20, "min_samples": 2}, 1.0),
        ("RollingQuantile", {"window_size": 4, "p": 0.25, "min_samples": None}, 10.75),
        ("ExpandingMax", {}, 13.0),
        ("ExponentiallyWeightedMean", {"alpha": 0.5}, 12.0 + 0.5**12),
    ],
)
def test_a_lag_transform_of_mlforecast_is_known_by_its_name(
    name: str, parameters: dict[str, object], expected: float
) -> None:
    transform = type(name, (), {"get_params": lambda _: parameters})()

    values = lag_features([], {2: [transform]})["transform0_lag2"](MONTHS, 1)

    np.testing.assert_allclose(values, [[expected, expected + 100.0]])


def test_a_feature_of_dates_is_of_the_months_ahead_as_the_panel_dates_them() -> None:
    def is_long(dates: pd.DatetimeIndex) -> object:
        return dates.day > 30

    found = date_features(["quarter", is_long], lambda months: months + pd.offsets.MonthEnd(0))

    # March, April and May 2021.
    values = {name: function(MONTHS, 3).T.tolist() for name, function in found.items()}
    assert values == {"quarter": [[1.0, 2.0, 2.0]] * 2, "is_long": [[1.0, 0.0, 1.0]] * 2}
