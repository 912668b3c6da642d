"""When goods arrive: exports are counted in the month China's customs clear them."""

import re
from collections.abc import Mapping
from typing import Final

import pandas as pd

from service.language.formats import dated
from service.language.phrases import gettext
from store.errors import DataError

Days = tuple[int, int]
"""Least and most days from clearance in China to the port of the destination."""

SHIPPING_DAYS: Final[Mapping[str, Days]] = {
    "USA": (15, 40), "DEU": (28, 45), "ITA": (30, 50), "EU27": (28, 50), "EU27_REST": (28, 50),
    "JPN": (3, 10), "VNM": (3, 12), "THA": (5, 12), "IND": (20, 28),
}  # fmt: skip
"""By sea, as forwarders quote it; others have no default. Source: docs/data/shipping_times.md."""


_LONGEST: Final = 365


def shipping_days(text: str) -> dict[str, Days]:
    """Return the days by destination, those that are set in place of the defaults.

    Args:
        text: Code, least and most days of some destinations, ``USA 20-35, KOR 2-6``; may be empty.
    """
    own: dict[str, Days] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        found = re.fullmatch(r"([A-Z0-9_]+) +(\d+)-(\d+)", part)
        days = (int(found[2]), int(found[3])) if found else (1, 0)
        if found is None or not days[0] <= days[1] <= _LONGEST:
            raise DataError(
                f"MAGNETCAST_SHIPPING_DAYS: {part[:40]!r} is no destination with a span of days. "
                f"Expected such as USA 20-35, up to {_LONGEST} days. Correct it."
            )
        own[found[1]] = days
    return {**SHIPPING_DAYS, **own}


def arrival_months(period: str, days: Days) -> str:
    """Return the months in which goods cleared in a month arrive, in words.

    Args:
        period: First day of the month of clearance, ISO.
    """
    month = pd.Timestamp(period).replace(day=1)
    soonest = month + pd.Timedelta(days=days[0])
    latest = month + pd.offsets.MonthEnd(0) + pd.Timedelta(days=days[1])
    first, last = (dated(moment, "month") for moment in (soonest, latest))
    return first if first == last else gettext("%(first)s to %(last)s", first=first, last=last)
