from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from store.frequency import MONTHLY, Frequency

QUARTER_ENDS = Frequency("quarter", 2, at_end=True, form="YYYY-MM-DD")
QUARTER_STARTS = Frequency("quarter", form="YYYY-MM-DD")
QUARTERS = Frequency("quarter", form="YYYYQn")
FISCAL = Frequency("quarter", 0, at_end=True, form="YYYY-MM-DD")
MONDAYS = Frequency("week", 4, form="YYYY-MM-DD")
SUNDAYS = Frequency("week", 3, form="YYYY-MM-DD")
ISO = Frequency("week", 4, form="YYYY-Www")

ALL = [MONTHLY, QUARTER_ENDS, QUARTER_STARTS, QUARTERS, FISCAL, MONDAYS, SUNDAYS, ISO]


def day(text: str) -> np.ndarray:
    return np.array([text], dtype="datetime64[D]").astype(np.int64)


def text(days: np.ndarray) -> str:
    return str(days.astype("datetime64[D]")[0])


@pytest.mark.parametrize("frequency", ALL, ids=lambda one: one.alias)
def test_dates_have_the_numbers_that_have_the_dates(frequency: Frequency) -> None:
    numbers = np.arange(-400, 400) + int(frequency.numbers(day("2024-03-31"))[0])

    dates = frequency.dates(numbers)

    np.testing.assert_array_equal(frequency.numbers_of(pd.Series(dates)), numbers)
    assert frequency.fits(frequency.days(numbers)).all()


@pytest.mark.parametrize("frequency", ALL, ids=lambda one: one.alias)
def test_dates_are_those_of_pandas(frequency: Frequency) -> None:
    first = int(frequency.numbers(day("2019-12-31"))[0]) + 1

    found = frequency.dates(first + np.arange(60))

    expected = pd.date_range(found[0], periods=60, freq=frequency.alias)
    assert list(found) == list(expected)


@pytest.mark.parametrize(
    ("frequency", "date", "written"),
    [
        (MONTHLY, "2024-03-01", "2024-03"),
        (QUARTER_ENDS, "2024-03-31", "2024-03-31"),
        (QUARTER_STARTS, "2024-01-01", "2024-01-01"),
        (QUARTERS, "2024-01-01", "2024Q1"),
        (FISCAL, "2024-01-31", "2024-01-31"),
        (SUNDAYS, "2024-03-31", "2024-03-31"),
        (ISO, "2024-12-30", "2025-W01"),
        (ISO, "2020-12-28", "2020-W53"),
    ],
)
def test_a_period_is_written_as_its_panel_writes_it(
    frequency: Frequency, date: str, written: str
) -> None:
    assert frequency.label(int(frequency.numbers(day(date))[0])) == written


@pytest.mark.parametrize(
    ("frequency", "date", "last"),
    [
        (MONTHLY, "2024-02-01", "2024-02-29"),
        (QUARTER_STARTS, "2024-01-01", "2024-03-31"),
        (QUARTER_ENDS, "2024-03-31", "2024-03-31"),
        (FISCAL, "2024-01-31", "2024-01-31"),
        (Frequency("quarter", 1), "2024-02-01", "2024-02-29"),
        (MONDAYS, "2024-01-01", "2024-01-01"),
    ],
)
def test_what_came_by_the_last_day_is_known_in_a_period_and_a_day_later_in_the_next(
    frequency: Frequency, date: str, last: str
) -> None:
    number = frequency.numbers(day(date))

    assert text(frequency.last_days(number)) == last
    assert frequency.known_in(day(last)) == number
    assert frequency.known_in(day(last) + 1) == number + 1


@pytest.mark.parametrize(
    ("frequency", "months", "periods"),
    [
        (MONTHLY, 14, 14),
        (QUARTERS, 12, 4),
        (QUARTERS, 2, 1),
        (QUARTERS, 60, 20),
        (MONDAYS, 12, 52),
        (MONDAYS, 2, 9),
    ],
)
def test_months_are_counted_in_periods(frequency: Frequency, months: int, periods: int) -> None:
    assert frequency.periods(months) == periods


@pytest.mark.parametrize(
    ("property_of", "expected"),
    [
        (lambda one: one.year, [12, 4, 52]),
        (lambda one: one.horizon, [6, 4, 13]),
    ],
    ids=["year", "horizon"],
)
def test_a_year_and_the_usual_horizon(
    property_of: Callable[[Frequency], int], expected: list[int]
) -> None:
    assert [property_of(one) for one in (MONTHLY, QUARTERS, MONDAYS)] == expected
