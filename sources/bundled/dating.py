"""The latest day a figure can have become known, where its source gives no exact date."""

import re
from typing import Final

import pandas as pd

from sources.bundled.periods import end_of_month, month
from sources.bundled.release_calendar import ReleaseCalendar
from sources.files.csv_table import parse_day

_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_YEAR: Final = re.compile(r"\d{4}", re.ASCII)


def stated_day(published_on: str) -> pd.Timestamp | None:
    """Return the last day ``published_on`` can mean; None where it is empty.

    Raises:
        ValueError: it is no day, month or year; worded to follow "is not".
    """
    if not published_on:
        return None
    if _YEAR.fullmatch(published_on):
        return end_of_month(month(f"{published_on}-12"))
    if _MONTH.fullmatch(published_on):
        return end_of_month(month(published_on))
    try:
        return parse_day(published_on)
    except ValueError as err:
        raise ValueError("a day, a month, a year or empty") from err


def latest_plausible_day(
    published_on: str,
    last_period: pd.Timestamp,
    calendar: ReleaseCalendar,
    *,
    otherwise: pd.Timestamp | None = None,
) -> pd.Timestamp:
    """Return the latest day on which a figure can have become known.

    A stated day after the end of the figure's last month is used. An earlier one cannot be right,
    because nobody knows a month before it ends: then the customs release is used. The result is
    never before the stated day.

    Args:
        published_on: ``YYYY-MM-DD``, ``YYYY-MM``, ``YYYY`` or empty.
        last_period: first day of the last month the figure covers.
        calendar: release days of the customs.
        otherwise: a day to use where ``published_on`` is empty, if there is one.
    """
    released = calendar.released_on(last_period)
    stated = stated_day(published_on) or otherwise
    if stated is None:
        return released
    return stated if stated > end_of_month(last_period) else released
