"""Months as whole numbers, so that lags are calendar months and arrays stay dense."""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Months = NDArray[np.int64]

MID_MONTH_DAYS: Final = 15
DAYS_A_MONTH: Final = 30.44


def month_number(moment: pd.Timestamp | str) -> int:
    """Return the month as year * 12 + month - 1 (2025-04 is 24303)."""
    stamp = pd.Timestamp(moment)
    return int(stamp.year * 12 + stamp.month - 1)


def month_numbers(dates: "pd.Series[pd.Timestamp]") -> Months:
    """Return ``month_number`` of each date of a column without gaps."""
    stamps = pd.DatetimeIndex(dates)
    return np.asarray(stamps.year * 12 + stamps.month - 1, dtype=np.int64)


def month_start(number: int) -> pd.Timestamp:
    """Return the first day of a numbered month."""
    return pd.Timestamp(year=number // 12, month=number % 12 + 1, day=1)


def month_starts(numbers: Months) -> pd.DatetimeIndex:
    """Return the first day of each numbered month."""
    base = np.datetime64("0000-01", "M")
    return pd.DatetimeIndex((base + numbers.astype("timedelta64[M]")).astype("datetime64[s]"))


def months_since(day: pd.Timestamp, numbers: Months) -> NDArray[np.float64]:
    """Return how many months lie between a day and the middle of each numbered month."""
    middle = month_starts(numbers) + pd.Timedelta(days=MID_MONTH_DAYS)
    return np.asarray((middle - day) / pd.Timedelta(days=DAYS_A_MONTH), dtype=np.float64)


def month_label(number: int) -> str:
    """Return a numbered month as ``YYYY-MM``."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def last_complete_month(as_of: pd.Timestamp) -> int:
    """Return the month before the one ``as_of`` lies in."""
    return month_number(as_of) - 1
