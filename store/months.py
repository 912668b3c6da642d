"""Months as whole numbers: year * 12 + month - 1, so that lags are calendar months."""

from typing import Final

import numpy as np
import pandas as pd

from store.arrays import Ints

YEAR: Final = 12
"""Months of a year: the length of a season."""


def month_starts(numbers: Ints) -> pd.DatetimeIndex:
    """Return the first day of each numbered month."""
    base = np.datetime64("0000-01", "M")
    return pd.DatetimeIndex((base + numbers.astype("timedelta64[M]")).astype("datetime64[s]"))


def month_numbers(dates: "pd.Series[pd.Timestamp] | pd.DatetimeIndex") -> Ints:
    """Return the number of the month of each date of a column without gaps."""
    stamps = pd.DatetimeIndex(dates)
    return np.asarray(stamps.year * YEAR + stamps.month - 1, dtype=np.int64)


def month_label(number: int) -> str:
    """Return a numbered month as ``YYYY-MM``."""
    return f"{number // YEAR:04d}-{number % YEAR + 1:02d}"
