"""Whether a panel is of months, quarters or weeks, inferred from its dates or given."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sources.files.dates import NO_DATE, NO_PERIOD, DateTexts
from sources.files.panel_checks import PanelRows, SeriesFaults, usable_rows
from store.arrays import Flags, Ints
from store.errors import DataError
from store.frequency import MONTHLY, QUARTER, WEEK, Form, Frequency, Period

ROWS: Final = 200_000
"""Rows whose series are looked at for the days between their dates."""

STRAY: Final = 0.1
"""Share of dates that may be out of step; each is reported by row."""

LEAST: Final = 4
"""Different dates that tell of more than months with gaps."""

QUARTERS: Final = 8
"""Dates three months apart, without another between, that make a series one of quarters."""

STEPS: Final = {12: "a year", 6: "half a year", 4: "four months", 3: "", 2: "two months"}
"""Months between dates, longest first; those of quarters are good."""

_ALIAS: Final = re.compile(r"(?P<kind>M|Q|W)(?P<side>[SE])?(?:-(?P<anchor>[A-Z]{3}))?")
_PERIODS: Final[dict[str, Period]] = {"M": "month", "Q": "quarter", "W": "week"}
_KNOWN: Final = "M, Q or W, or pandas' names of them such as MS, QE-DEC or W-MON"
_REMEDY: Final = (
    "Expected months, quarters or weeks. Add up what is finer to one of these, or say which they "
    "are with --freq M, Q or W (freq= in Python)."
)


@dataclass(frozen=True, slots=True)
class DatedRows:
    """The dates of a panel's rows."""

    what: str
    """Kind and path of the panel, to begin a message with."""
    series: NDArray[np.int32]
    """Code of the series by row, -1 for none."""
    dates: DateTexts
    """The distinct dates."""
    places: NDArray[np.int32]
    """Place in ``dates`` by row."""


def frequency_of(rows: DatedRows, asked: str | None = None) -> Frequency:
    """Return the frequency of a panel and how its dates are written.

    Args:
        rows: Its dates; those that cannot be read are left aside.
        asked: M, Q or W or pandas' names of them; None to tell from the dates.

    Raises:
        DataError: The dates are of something else or of several frequencies, or what is asked for
            is none of panels or does not fit them.
    """
    if asked is None:
        period = _told(rows)
        return MONTHLY if period == "month" else _dated(period, rows.dates)
    found = _ALIAS.fullmatch(asked.upper())
    if not found or (found["kind"] == "W" and found["side"]):
        raise DataError(
            f"Frequency {asked!r} is none that panels can have. Expected {_KNOWN}. Add up what is "
            "finer to weeks, months or quarters."
        )
    return _asked(found, rows, asked)


def _asked(found: "re.Match[str]", rows: DatedRows, asked: str) -> Frequency:
    """Return the frequency that was named, its place from the dates unless named too."""
    period, is_end = _PERIODS[found["kind"]], found["side"] == "E"
    if period == "month":
        return Frequency("month", at_end=is_end)
    own = _dated(period, rows.dates)
    side = own.at_end if found["side"] is None else is_end
    if period == "quarter" and own.form == "YYYYQn" and side:
        own = Frequency("quarter", 2, at_end=True, form=own.form)
    named = Frequency(own.period, own.place, side, own.form)
    anchored = [
        one
        for place in range(WEEK if period == "week" else QUARTER)
        for one in [Frequency(period, place, side, own.form)]
        if found["anchor"] in one.anchors
    ]
    if found["anchor"] and not anchored:
        raise DataError(f"Frequency {asked!r} has no such day. Expected {_KNOWN}. Correct it.")
    if anchored and found["side"] is None and period == "quarter":
        anchored = []
    chosen = anchored[0] if anchored else named
    if chosen != own or _fitting(rows.dates, own) < 1 - STRAY:
        raise DataError(
            f"Frequency {asked!r} does not fit {rows.what}, of whose dates "
            f"{_fitting(rows.dates, own):.0%} are those of {own.alias}. Expected what fits them. "
            "Take another, or move the dates."
        )
    return chosen


def _dated(period: Period, dates: DateTexts) -> Frequency:
    """Return a frequency whose dates lie where most of the dates do."""
    grains, is_date = dates.grains, dates.days != NO_DATE
    form = _form(period, grains[is_date])
    days = dates.days[is_date & np.isin(grains, ["day", "month"])]
    if not len(days):
        days = dates.days[is_date & (grains == period)]
    if not len(days):
        return Frequency(period, form=form)
    stamps = days.astype("datetime64[D]")
    if period == "week":
        return Frequency(period, _most(days % WEEK), form=form)
    months = stamps.astype("datetime64[M]")
    after = (months + np.timedelta64(1, "M")).astype("datetime64[D]")
    last = after - np.timedelta64(1, "D")
    at_end = form == "YYYY-MM-DD" and float((stamps == last).mean()) > 1 - STRAY
    return Frequency(period, _most(months.astype(np.int64) % QUARTER), at_end, form)


def _fitting(dates: DateTexts, frequency: Frequency) -> float:
    """Return which share of the dates denote periods of a frequency."""
    is_date = dates.days != NO_DATE
    fits = dates.periods(frequency).numbers[is_date] != NO_PERIOD
    return float(fits.mean()) if len(fits) else 1.0


def _form(period: Period, grains: NDArray[np.str_]) -> Form:
    named: dict[str, Form] = {"quarter": "YYYYQn", "week": "YYYY-Www", "month": "YYYY-MM"}
    usual = Counter(grains.tolist()).most_common(1)
    return named.get(usual[0][0], "YYYY-MM-DD") if usual else named[period]


def _most(values: Ints) -> int:
    return int(np.bincount(values).argmax())


def _told(rows: DatedRows) -> Period:
    """Return the frequency that the dates tell.

    Raises:
        DataError: It is another, or there are several.
    """
    dates = rows.dates
    is_date = dates.days != NO_DATE
    grains = Counter(dates.grains[is_date].tolist())
    for named in ("quarter", "week"):
        if 2 * grains[named] > grains.total():
            return named
    days = np.unique(dates.days[is_date])
    steps, within = _steps(rows)
    if len(days) >= LEAST and len(steps) and within.mean() > STRAY:
        return _finer(rows, steps, float(within.mean()))
    if len(days) > LEAST and len(np.unique(days % WEEK)) == 1 and grains["day"] == len(days):
        return "week"
    return _coarse(rows, days)


def _steps(rows: DatedRows) -> tuple[Ints, Flags]:
    """Return the days from each date of a series to its next, and whether both are in one month.

    As many series are looked at as are needed.
    """
    days = rows.dates.days[rows.places]
    counts = np.bincount(rows.series[rows.series >= 0])
    most = int(np.searchsorted(np.cumsum(counts), ROWS)) + 1
    chosen = np.flatnonzero((rows.series >= 0) & (rows.series < most) & (days != NO_DATE))
    series, days = rows.series[chosen], days[chosen]
    order = np.lexsort((days, series))
    series, days = series[order], days[order]
    step, month = np.diff(days), days.astype("datetime64[D]").astype("datetime64[M]")
    counts_as = (np.diff(series) == 0) & (step > 0)
    return step[counts_as], (month[1:] == month[:-1])[counts_as]


def _finer(rows: DatedRows, steps: Ints, within: float) -> Period:
    """Return weeks, where the dates are closer than those of months."""
    usual = float(np.median(steps))
    if usual == WEEK:
        return "week"
    if usual < WEEK / 2:
        raise DataError(f"{rows.what} has dates of days. {_REMEDY}")
    raise DataError(
        f"{rows.what} has irregular dates or several frequencies: dates of a series are {usual:g} "
        f"days apart at the median, {within:.0%} of them with another in their month. {_REMEDY}"
    )


def _coarse(rows: DatedRows, days: Ints) -> Period:
    """Return months, with or without gaps, or quarters."""
    months = np.unique(days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64))
    if len(months) < LEAST:
        return "month"
    for step, word in STEPS.items():
        if np.bincount(months % step).max() < (1 - STRAY) * len(months):
            continue
        if step == QUARTER:
            return "quarter"
        raise DataError(f"{rows.what} has dates that are {word} apart. {_REMEDY}")
    return "month"


def check_quarters(rows: PanelRows, faults: SeriesFaults) -> None:
    """Note series of quarters in a panel of months: each would be two thirds gaps."""
    usable = usable_rows(rows, faults)
    codes, months = rows.series.codes[usable], rows.months[usable]
    cells = codes * QUARTER + months % QUARTER
    counts = np.bincount(cells, minlength=QUARTER * len(faults.names)).reshape(-1, QUARTER)
    count = counts.sum(axis=1)
    for code in np.flatnonzero((counts.max(axis=1) == count) & (count >= QUARTERS)).tolist():
        own = np.unique(months[codes == code])
        if (np.diff(own) == QUARTER).all():
            text = (
                f"its {len(own)} dates are those of quarters, the panel's of months "
                "(--freq M reads them as months with gaps)"
            )
            faults.add(faults.names[code], 0, text)
