"""Releases on record, and the latest day on which a figure can have become known."""

import re
from pathlib import Path
from typing import Final

import pandas as pd

from sources.bundled.notation import end_of_month, parse_period
from sources.files.file_reader import Row, parse_day, read_table
from store.facts.batch import FileRows
from store.release_calendar import ReleaseCalendar

_COLUMNS: Final = ("period", "release_date", "what", "source_url")

_ANY_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def release_dates(path: Path) -> FileRows:
    """Releases on record; of a vague date the latest day is used."""
    table = read_table(path, _COLUMNS)
    rows = {tuple(release.items()): release for release in map(_release, table.rows)}
    return table.file("release_dates", "release_calendar", [*rows.values()])


def latest_named_day(text: str) -> pd.Timestamp:
    """Latest day written YYYY-MM-DD within a text."""
    if not (days := _ANY_DAY.findall(text)):
        raise ValueError("a text with a day YYYY-MM-DD")
    return max(parse_day(day) for day in days)


def _release(row: Row) -> dict[str, object]:
    period = row.parsed("period", parse_period)
    day = row.parsed("release_date", latest_named_day)
    if period and day is not None and day <= period.end:
        row.bad("release_date", f"after the period's end {period.end:%Y-%m-%d}")
    kind = row.text("what", required=True).partition(" ")[0]
    return {
        "period_from": period and period.first,
        "period_to": period and period.last,
        "released_on": day,
        "what": kind if kind in {"headline", "detail"} else "supplement",
        "available_at": day and day.tz_localize("UTC"),
        "source_url": row.text("source_url"),
    }


def stated_day(published_on: str) -> pd.Timestamp | None:
    """Last day ``published_on`` can mean; None where it is empty."""
    if not published_on:
        return None
    try:
        is_day = len(published_on) > len("2025-07")
        return parse_day(published_on) if is_day else parse_period(published_on).end
    except ValueError as err:
        raise ValueError("a day, a month, a year or empty") from err


def latest_plausible_day(
    published_on: str,
    last_period: pd.Timestamp,
    calendar: ReleaseCalendar,
    *,
    otherwise: pd.Timestamp | None = None,
) -> pd.Timestamp:
    """Latest day on which a figure can have become known.

    A stated day after the end of the figure's last month is used. An earlier one cannot be right,
    because nobody knows a month before it ends: then the customs release is used. The result is
    never before the stated day.

    Args:
        published_on: ``YYYY-MM-DD``, ``YYYY-MM``, ``YYYY`` or empty.
        last_period: first day of the last month the figure covers.
        otherwise: a day to use where ``published_on`` is empty, if there is one.
    """
    released = calendar.released_on(last_period)
    day = stated_day(published_on) or otherwise
    if day is None:
        return released
    return day if day > end_of_month(last_period) else released
