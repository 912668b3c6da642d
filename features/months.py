"""Months as whole numbers, so that lags are calendar months, and the days of Lunar New Year."""

from typing import Final

import numpy as np
import pandas as pd

from store.arrays import Floats, Ints
from store.months import month_label as month_label  # noqa: PLC0414 - the same, from here
from store.months import month_numbers as month_numbers  # noqa: PLC0414 - the same, from here
from store.months import month_starts as month_starts  # noqa: PLC0414 - the same, from here

Months = Ints

_MID_MONTH_DAYS: Final = 15
DAYS_A_MONTH: Final = 30.44


def month_number(moment: pd.Timestamp | str) -> int:
    """Return the month as year * 12 + month - 1 (2025-04 is 24303)."""
    stamp = pd.Timestamp(moment)
    return int(stamp.year * 12 + stamp.month - 1)


def month_start(number: int) -> pd.Timestamp:
    """Return the first day of a numbered month."""
    return pd.Timestamp(year=number // 12, month=number % 12 + 1, day=1)


def months_since(day: pd.Timestamp, numbers: Months) -> Floats:
    """Return how many months lie between a day and the middle of each numbered month."""
    middle = month_starts(numbers) + pd.Timedelta(days=_MID_MONTH_DAYS)
    return np.asarray((middle - day) / pd.Timedelta(days=DAYS_A_MONTH), dtype=np.float64)


def last_complete_month(as_of: pd.Timestamp) -> int:
    """Return the month before the one ``as_of`` lies in."""
    return month_number(as_of) - 1


NEW_YEARS: Final = pd.DatetimeIndex(
    [
        "1980-02-16", "1981-02-05", "1982-01-25", "1983-02-13", "1984-02-02", "1985-02-20",
        "1986-02-09", "1987-01-29", "1988-02-17", "1989-02-06", "1990-01-27", "1991-02-15",
        "1992-02-04", "1993-01-23", "1994-02-10", "1995-01-31", "1996-02-19", "1997-02-07",
        "1998-01-28", "1999-02-16", "2000-02-05", "2001-01-24", "2002-02-12", "2003-02-01",
        "2004-01-22", "2005-02-09", "2006-01-29", "2007-02-18", "2008-02-07", "2009-01-26",
        "2010-02-14", "2011-02-03", "2012-01-23", "2013-02-10", "2014-01-31", "2015-02-19",
        "2016-02-08", "2017-01-28", "2018-02-16", "2019-02-05", "2020-01-25", "2021-02-12",
        "2022-02-01", "2023-01-22", "2024-02-10", "2025-01-29", "2026-02-17", "2027-02-06",
        "2028-01-26", "2029-02-13", "2030-02-03", "2031-01-23", "2032-02-11", "2033-01-31",
        "2034-02-19", "2035-02-08",
    ]
)  # fmt: skip
"""First day of the Chinese year. Source: the lunisolar calendar as printed by the Hong Kong
Observatory."""

DAYS_BEFORE: Final = 3
DAYS_AFTER: Final = 12
"""Days around the first day on which shipments are well below normal (the statutory week and the
return to work)."""

_OPENS: Final = (NEW_YEARS - pd.Timedelta(days=DAYS_BEFORE)).to_numpy()
_CLOSES: Final = (NEW_YEARS + pd.Timedelta(days=DAYS_AFTER + 1)).to_numpy()
_YEARS: Final = NEW_YEARS.year.to_numpy()


def lunar_new_year_days(months: Months) -> Floats:
    """Return how many days of each month fall into the standstill around Lunar New Year.

    NaN outside the years of ``NEW_YEARS``.
    """
    starts = month_starts(months)
    ends = month_starts(months + 1)
    first = np.maximum(starts.to_numpy()[:, None], _OPENS)
    last = np.minimum(ends.to_numpy()[:, None], _CLOSES)
    days = (last - first) / np.timedelta64(1, "D")
    is_known = np.isin(starts.year, _YEARS)
    return np.where(is_known, np.clip(days, 0, None).sum(axis=1), np.nan)
