"""Periods as reports write them: a month, a year, or a closed range of months."""

import re
from typing import Final, NamedTuple

import pandas as pd

_MONTH: Final = r"\d{4}-(?:0[1-9]|1[0-2])"
_YEAR: Final = re.compile(r"\d{4}", re.ASCII)
_RANGE: Final = re.compile(rf"({_MONTH})(?:\.\.({_MONTH}))?", re.ASCII)


class Period(NamedTuple):
    """First days of the first and the last month."""

    first: pd.Timestamp
    last: pd.Timestamp

    @property
    def end(self) -> pd.Timestamp:
        """Return the last day of the last month."""
        return end_of_month(self.last)


def month(text: str) -> pd.Timestamp:
    """Return the first day of ``YYYY-MM``."""
    return pd.Timestamp(f"{text}-01").as_unit("us")


def end_of_month(day: pd.Timestamp) -> pd.Timestamp:
    """Return the last day of the month ``day`` lies in."""
    return day + pd.offsets.MonthEnd(0)


def parse_period(text: str) -> Period:
    """Return the months of ``YYYY-MM``, ``YYYY`` or ``YYYY-MM..YYYY-MM``.

    Raises:
        ValueError: the text is no such period; worded to follow "is not".
    """
    if _YEAR.fullmatch(text):
        return Period(month(f"{text}-01"), month(f"{text}-12"))
    if not (match := _RANGE.fullmatch(text)):
        raise ValueError("a period YYYY-MM, YYYY or YYYY-MM..YYYY-MM")
    period = Period(month(match[1]), month(match[2] or match[1]))
    if period.last < period.first:
        raise ValueError("a period that ends no earlier than it begins")
    return period
