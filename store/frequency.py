"""How far apart the periods of a panel are, and how its dates number them.

Public: :class:`Frequency`, :data:`MONTHLY`. Periods are consecutive whole numbers, so that a lag is
one of the calendar and a year ago is ``year`` periods back.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from store.arrays import Flags, Ints

Period = Literal["month", "quarter", "week"]
Form = Literal["YYYY-MM", "YYYY-MM-DD", "YYYYQn", "YYYY-Www"]

YEAR: Final[dict[Period, int]] = {"month": 12, "quarter": 4, "week": 52}
"""Periods of a year. A 53rd week is one more week: a year ago is 52 weeks back."""

HORIZON: Final[dict[Period, int]] = {"month": 6, "quarter": 4, "week": 13}
"""Periods forecast by default."""

MONTHS: Final = 12
QUARTER: Final = 3
WEEK: Final = 7

_WEEKDAYS: Final = ("THU", "FRI", "SAT", "SUN", "MON", "TUE", "WED")
"""By place: day 0 is 1970-01-01, a Thursday."""

_MONTHS: Final = (
    "JAN",
    "FEB",
    "MAR",
    "APR",
    "MAY",
    "JUN",
    "JUL",
    "AUG",
    "SEP",
    "OCT",
    "NOV",
    "DEC",
)
_BEFORE_1970: Final = 1970 * MONTHS


@dataclass(frozen=True, slots=True)
class Frequency:
    """Months, quarters or weeks, and which dates denote them.

    The number of a month is year * 12 + month - 1, of a quarter that divided by 3, of a week the
    weeks since 1970. Days are those since 1970-01-01.
    """

    period: Period
    place: int = 0
    """Which month of the quarter (0 to 2) or day of the week (0 is Thursday) its dates lie on."""
    at_end: bool = False
    """Whether months and quarters are dated on the last day of a month, not on the first."""
    form: Form = "YYYY-MM"
    """How periods are written."""

    @property
    def year(self) -> int:
        """Return the periods of a year: the length of a season."""
        return YEAR[self.period]

    @property
    def horizon(self) -> int:
        """Return how many periods are forecast by default."""
        return HORIZON[self.period]

    @property
    def alias(self) -> str:
        """Return pandas' name of its dates, e.g. ``MS``, ``QE-DEC`` or ``W-MON``."""
        end = "E" if self.at_end else "S"
        if self.period == "month":
            return f"M{end}"
        if self.period == "week":
            return f"W-{self.anchors[0]}"
        return f"Q{end}-{self.anchors[-1 if self.at_end else 0]}"

    @property
    def anchors(self) -> tuple[str, ...]:
        """Return pandas' names of the days of the week or the months that its dates lie on."""
        if self.period == "week":
            return (_WEEKDAYS[self.place],)
        step = QUARTER if self.period == "quarter" else 1
        return _MONTHS[self.place :: step]

    def periods(self, months: float) -> int:
        """Return how many periods are nearest to some months, at least one."""
        return max(1, round(months * self.year / MONTHS))

    def numbers(self, days: Ints) -> Ints:
        """Return the period that each of some days is dated in."""
        if self.period == "week":
            return np.asarray((days - self.place) // WEEK, dtype=np.int64)
        return months_of_days(days) // (QUARTER if self.period == "quarter" else 1)

    def fits(self, days: Ints) -> Flags:
        """Return which days can be dates of periods."""
        if self.period == "week":
            return np.asarray((days - self.place) % WEEK == 0)
        if self.period == "quarter":
            return np.asarray(months_of_days(days) % QUARTER == self.place)
        return np.ones(len(days), dtype=bool)

    def days(self, numbers: Ints) -> Ints:
        """Return the day that stands for each period."""
        if self.period == "week":
            return np.asarray(WEEK * numbers + self.place, dtype=np.int64)
        months = numbers if self.period == "month" else QUARTER * numbers + self.place
        return days_of_months(months + 1) - 1 if self.at_end else days_of_months(months)

    def dates(self, numbers: Ints) -> pd.DatetimeIndex:
        """Return the dates of periods."""
        days = self.days(np.asarray(numbers, dtype=np.int64))
        return pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[s]"))

    def numbers_of(self, dates: "pd.Series[pd.Timestamp]") -> Ints:
        """Return the numbers of a column of ``dates``, which has no gaps."""
        stamps = pd.DatetimeIndex(dates).to_numpy(dtype="datetime64[D]")
        return self.numbers(stamps.astype(np.int64))

    def labels(self, dates: "pd.Series[pd.Timestamp]") -> "pd.Series[str]":
        """Return a column of ``dates`` as the panel writes them."""
        if self.form == "YYYYQn":
            return dates.dt.strftime("%Y") + "Q" + dates.dt.quarter.astype(str)
        patterns = {"YYYY-MM": "%Y-%m", "YYYY-MM-DD": "%Y-%m-%d", "YYYY-Www": "%G-W%V"}
        return dates.dt.strftime(patterns[self.form])

    def label(self, number: int) -> str:
        """Return one period as the panel writes it."""
        if self.period == "month" and self.form == "YYYY-MM":
            return f"{number // MONTHS:04d}-{number % MONTHS + 1:02d}"
        return str(self.labels(pd.Series(self.dates(np.array([number])))).iloc[0])

    def last_days(self, numbers: Ints) -> Ints:
        """Return the last day of each period, the earliest that its dates allow.

        A week is taken to end on its date, as pandas' ``W-MON`` does, and so is a quarter unless
        the first month of a calendar quarter stands for it: nothing is then known too early.
        """
        if self.period == "week":
            return self.days(numbers)
        if self.period == "month":
            return days_of_months(numbers + 1) - 1
        return days_of_months(QUARTER * numbers + self._last_month + 1) - 1

    def known_in(self, days: Ints) -> Ints:
        """Return the first period by whose last day each of some days has come."""
        if self.period == "week":
            return np.asarray(-((self.place - days) // WEEK), dtype=np.int64)
        months = months_of_days(days)
        if self.period == "month":
            return months
        return np.asarray(-((self._last_month - months) // QUARTER), dtype=np.int64)

    @property
    def _last_month(self) -> int:
        """Return which month of its calendar quarter a quarter ends with."""
        return QUARTER - 1 if self.place == 0 and not self.at_end else self.place


MONTHLY: Final = Frequency("month")


def days_of_months(months: Ints) -> Ints:
    """Return the first day of each numbered month."""
    starts = (np.asarray(months) - _BEFORE_1970).astype("datetime64[M]")
    return np.asarray(starts.astype("datetime64[D]").astype(np.int64))


def months_of_days(days: Ints) -> Ints:
    """Return the number of the month that each day lies in."""
    months = np.asarray(days).astype("datetime64[D]").astype("datetime64[M]")
    return np.asarray(months.astype(np.int64) + _BEFORE_1970)
