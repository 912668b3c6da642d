import numpy as np
import pytest

from features.build import frame_of
from features.lunar_new_year import lunar_new_year_days
from store.months import last_complete_month, month_label, month_number, month_start, month_starts
from tests.data.builders import at, make_bare


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


def test_months_are_numbered_without_gaps() -> None:
    assert month_number("2025-04-30") == 24303
    assert month_label(24303) == "2025-04"
    assert month_label(month_number("2025-12") + 1) == "2026-01"
    assert str(month_start(24303).date()) == "2025-04-01"
    assert list(month_starts(np.array([24299, 24300])).strftime("%Y-%m")) == ["2024-12", "2025-01"]


@pytest.mark.parametrize(
    ("day", "month"),
    [("2025-04-01", "2025-03"), ("2025-04-30", "2025-03"), ("2025-01-01", "2024-12")],
)
def test_the_last_complete_month_is_the_one_before(day: str, month: str) -> None:
    assert month_label(last_complete_month(at(day))) == month
