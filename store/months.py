"""Months as whole numbers: year * 12 + month - 1, so that lags are calendar months."""

from typing import Final

import numpy as np
import pandas as pd

from store.arrays import Floats, Ints

Months = Ints
"""Month numbers."""

YEAR: Final = 12
"""Months of a year: the length of a season."""

DAYS_A_MONTH: Final = 30.44

_MID_MONTH_DAYS: Final = 15


def month_starts(numbers: Ints) -> pd.DatetimeIndex:
    """The first day of each numbered month.

    Examples:
        >>> month_starts(np.array([24303, 24304])).strftime("%Y-%m-%d").tolist()
        ['2025-04-01', '2025-05-01']
    """
    base = np.datetime64("0000-01", "M")
    return pd.DatetimeIndex((base + numbers.astype("timedelta64[M]")).astype("datetime64[s]"))


def month_numbers(dates: "pd.Series[pd.Timestamp] | pd.DatetimeIndex") -> Ints:
    """The number of the month of each date of a column without gaps."""
    stamps = pd.DatetimeIndex(dates)
    return np.asarray(stamps.year * YEAR + stamps.month - 1, dtype=np.int64)


def month_label(number: int) -> str:
    """A numbered month as ``YYYY-MM``.

    Examples:
        >>> month_label(24303)
        '2025-04'
    """
    return f"{number // YEAR:04d}-{number % YEAR + 1:02d}"


def month_number(moment: pd.Timestamp | str) -> int:
    """The month as year * 12 + month - 1 (2025-04 is 24303).

    Examples:
        >>> month_number("2025-04")
        24303
    """
    stamp = pd.Timestamp(moment)
    return int(stamp.year * YEAR + stamp.month - 1)


def month_start(number: int) -> pd.Timestamp:
    """The first day of a numbered month.

    Examples:
        >>> month_start(24303)
        Timestamp('2025-04-01 00:00:00')
    """
    return pd.Timestamp(year=number // YEAR, month=number % YEAR + 1, day=1)


def months_since(day: pd.Timestamp, numbers: Months) -> Floats:
    """The months from a day to the middle of each numbered month, below 0 before it.

    Examples:
        >>> months_since(pd.Timestamp("2025-04-04"), np.array([24302, 24303])).round(1).tolist()
        [-0.6, 0.4]
    """
    middle = month_starts(numbers) + pd.Timedelta(days=_MID_MONTH_DAYS)
    return np.asarray((middle - day) / pd.Timedelta(days=DAYS_A_MONTH), dtype=np.float64)


def last_complete_month(as_of: pd.Timestamp) -> int:
    """The month before the one ``as_of`` lies in.

    Examples:
        >>> month_label(last_complete_month(pd.Timestamp("2025-05-01", tz="UTC")))
        '2025-04'
    """
    return month_number(as_of) - 1
