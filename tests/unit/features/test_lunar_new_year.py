import numpy as np
import pytest

from features.build import frame_of
from features.lunar_new_year import lunar_new_year_days
from store.months import month_number
from tests.data.builders import make_bare


@pytest.mark.parametrize(
    ("month", "days"),
    [
        ("2024-01", 0),
        ("2024-02", 16),  # 7 to 22 February around the 10th
        ("2025-01", 6),  # 26 to 31 January before and after the 29th
        ("2025-02", 10),  # 1 to 10 February
        ("2025-06", 0),
        ("2023-01", 13),
        ("2023-02", 3),
        ("2036-02", np.nan),  # beyond the printed calendar
        ("1979-02", np.nan),
    ],
)
def test_days_of_the_standstill_around_lunar_new_year(month: str, days: float) -> None:
    found = lunar_new_year_days(np.array([month_number(month)]))

    np.testing.assert_array_equal(found, [days])


def test_calendar_features_of_a_february() -> None:
    rows = frame_of(make_bare({"A": [1.0] * 24}, start="2023-01", horizon=3))

    february = rows.set_index("month_of_year").loc[2.0]
    assert february["weekdays"] == 20.0
    assert february["lunar_new_year_days"] == 10.0
    assert february["lunar_new_year_shift_days"] == 10.0 - 16.0
