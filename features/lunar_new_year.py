"""Days of the standstill around Lunar New Year, by month."""

from typing import Final

import numpy as np
import pandas as pd

from store.arrays import Floats
from store.months import Months, month_starts

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
    """Days of each month within the standstill around Lunar New Year; NaN outside ``NEW_YEARS``."""
    starts = month_starts(months)
    ends = month_starts(months + 1)
    first = np.maximum(starts.to_numpy()[:, None], _OPENS)
    last = np.minimum(ends.to_numpy()[:, None], _CLOSES)
    days = (last - first) / np.timedelta64(1, "D")
    is_known = np.isin(starts.year, _YEARS)
    return np.where(is_known, np.clip(days, 0, None).sum(axis=1), np.nan)
