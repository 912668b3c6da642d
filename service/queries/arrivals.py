"""When goods arrive: exports are counted in the month China's customs clear them."""

from collections.abc import Mapping
from typing import Final

import pandas as pd

Days = tuple[int, int]
"""Least and most days from clearance in China to the port of the destination."""

SHIPPING_DAYS: Final[Mapping[str, Days]] = {
    "USA": (15, 40), "DEU": (28, 45), "ITA": (30, 50), "EU27": (28, 50), "EU27_REST": (28, 50),
    "JPN": (3, 10), "VNM": (3, 12), "THA": (5, 12), "IND": (20, 28),
}  # fmt: skip
"""By sea, as forwarders quote it; others have no default. Source: docs/data/shipping_times.md."""


def shipping_days(own: Mapping[str, Days]) -> dict[str, Days]:
    """Return the days by destination, those that are set in place of the defaults."""
    return {**SHIPPING_DAYS, **own}


def arrival_months(period: str, days: Days) -> str:
    """Return the months in which goods cleared in a month arrive, in words.

    Args:
        period: First day of the month of clearance, ISO.
        days: From clearance to arrival.
    """
    first = pd.Timestamp(period).replace(day=1)
    soonest = first + pd.Timedelta(days=days[0])
    latest = first + pd.offsets.MonthEnd(0) + pd.Timedelta(days=days[1])
    return " to ".join(dict.fromkeys(f"{moment:%b %Y}" for moment in (soonest, latest)))
