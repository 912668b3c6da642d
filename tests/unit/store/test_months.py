import numpy as np
import pytest

from store.months import last_complete_month, month_label, month_number, month_start, month_starts
from tests.data.builders import at


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
