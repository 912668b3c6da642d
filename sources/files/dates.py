"""Dates of users' files: days, months, quarters and ISO weeks, and the periods they denote."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from store.arrays import Ints
from store.errors import counted, shown
from store.frequency import MONTHLY, Frequency

NO_DATE: Final = np.iinfo(np.int64).min
"""Marks a text that is no date."""

NO_PERIOD: Final = np.iinfo(np.int32).min
"""Marks a text that is no period."""

YEARS: Final = (1700, 2199)
"""Years accepted. Others are typing errors that would make a dense table huge."""

Grain = Literal["day", "month", "quarter", "week"]

_EPOCH: Final = date(1970, 1, 1).toordinal()

_CLOCK: Final = r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?Z| ?UTC|[+-]\d{2}:?\d{2})?"
_PARTED: Final = re.compile(
    rf"(?P<year>\d{{4}})(?P<mark>[-/])(?P<month>\d{{1,2}})"
    rf"(?:(?P=mark)(?P<day>\d{{1,2}})(?P<clock>{_CLOCK})?)?",
    re.ASCII,
)
_SOLID: Final = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})?", re.ASCII)
_QUARTER: Final = re.compile(r"(?P<year>\d{4})-?Q(?P<quarter>[1-4])", re.ASCII)
_WEEK: Final = re.compile(r"(?P<year>\d{4})-?W(?P<week>\d{2})", re.ASCII)
_SPAN: Final = re.compile(r"(?P<start>\d{4}-\d{2}-\d{2})/\d{4}-\d{2}-\d{2}", re.ASCII)
"""A week as pandas' periods are written, first and last day."""

_YEAR_LAST: Final = re.compile(r"\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}.*", re.ASCII)


@dataclass(frozen=True, slots=True)
class PeriodTexts:
    """The periods of some texts; all fields have the same length."""

    numbers: NDArray[np.int32]
    """Numbers of periods, ``NO_PERIOD`` where a text is none."""
    forms: tuple[str, ...]
    """How the text is written, e.g. ``YYYY-MM``; empty where it is no date."""
    faults: tuple[str, ...]
    """Why the text is no period; empty where it is one."""


@dataclass(frozen=True, slots=True)
class DateTexts:
    """The dates of some texts; all fields have the same length."""

    texts: tuple[str, ...]
    days: Ints
    """Days since 1970-01-01, of a month or quarter its first, of an ISO week its Monday;
    ``NO_DATE`` where a text is none."""
    forms: tuple[str, ...]
    """How the text is written; empty where it is no date."""
    faults: tuple[str, ...]
    """Why the text is no date, ``{}`` for what was expected; empty where it is one."""

    @property
    def grains(self) -> NDArray[np.str_]:
        """Return how finely each text tells the time; a month where it does not."""
        return np.array([grain_of(form) for form in self.forms], dtype=str)

    def periods(self, frequency: Frequency) -> PeriodTexts:
        """Return the periods of a frequency that the texts denote."""
        grains, is_date = self.grains, self.days != NO_DATE
        days = np.where(is_date, self.days, 0)
        if frequency.period == "week":
            # The day of an ISO week, Monday to Sunday, that the panel's weeks are dated on.
            days = np.where(grains == "week", days + (frequency.place - days) % 7, days)
        fits = is_date & (_at_home(grains, frequency) | frequency.fits(days))
        fits &= np.isin(grains, _READ_AS[frequency.period])
        numbers = np.where(fits, frequency.numbers(days), NO_PERIOD).astype(np.int32)
        misfit = "is no {}" + (f": {habit}" if (habit := _habit(frequency)) else "")
        described = [
            "" if fit else fault or f"{text.strip()} {misfit}"
            for text, fit, fault in zip(self.texts, fits, self.faults, strict=True)
        ]
        faults = tuple(fault.replace("{}", frequency.period) for fault in described)
        return PeriodTexts(numbers, self.forms, faults)


_READ_AS: Final[dict[str, list[Grain]]] = {
    "month": ["day", "month"],
    "quarter": ["day", "month", "quarter"],
    "week": ["day", "week"],
}
"""Which dates can denote a period."""


def grain_of(form: str) -> Grain:
    """Return how finely a form of dates tells the time."""
    for mark, grain in (("Q", "quarter"), ("W", "week"), ("DD", "day")):
        if mark in form:
            return grain  # type: ignore[return-value]
    return "month"


def _at_home(grains: NDArray[np.str_], frequency: Frequency) -> NDArray[np.bool_]:
    """Tell which texts name a period of the frequency outright."""
    return np.asarray(grains == frequency.period)


def _habit(frequency: Frequency) -> str:
    """Return which days the panel's periods are dated on; nothing where any will do."""
    if frequency.period == "month":
        return ""
    year = frequency.dates(frequency.numbers(np.array([0])) + np.arange(frequency.year))
    if frequency.period == "week":
        return f"weeks of this panel are dated on a {year[0].day_name()}"
    return f"quarters of this panel are dated in {', '.join(year.sort_values().month_name())}"


def read_dates(texts: Sequence[str]) -> DateTexts:
    """Return the dates of texts.

    Read are YYYY-MM, YYYY-M, YYYY/MM, YYYYMM, a day of the month in these forms, ISO 8601 dates
    with a time, of which the day is taken as written, whatever the offset, quarters as YYYYQn or
    YYYY-Qn, ISO weeks as YYYY-Www, and pandas' weeks, first day/last day, which are read as the
    first.
    """
    days = np.full(len(texts), NO_DATE, dtype=np.int64)
    forms, faults = [""] * len(texts), [""] * len(texts)
    for place, text in enumerate(texts):
        try:
            days[place], forms[place] = _day_and_form(text.strip())
        except ValueError as err:
            faults[place] = str(err)
    return DateTexts(tuple(texts), days, tuple(forms), tuple(faults))


def read_period(text: str, frequency: Frequency = MONTHLY) -> int:
    """Return the number of the period that a text stands for.

    Raises:
        ValueError: It stands for none; describes why.
    """
    found = read_dates([text]).periods(frequency)
    if found.faults[0]:
        raise ValueError(found.faults[0])
    return int(found.numbers[0])


def form_note(texts: PeriodTexts, places: NDArray[np.int32]) -> str:
    """Return a note if the periods of some rows are written in more than one form, else "".

    Args:
        texts: The distinct texts.
        places: Place in ``texts`` by row.
    """
    rows_of = np.bincount(places % max(1, len(texts.forms)), minlength=len(texts.forms))
    counts: Counter[str] = Counter()
    for form, rows in zip(texts.forms, rows_of.tolist(), strict=True):
        counts[form] += rows if form else 0
    counted_forms = [f"{form} ({counted(rows, 'row')})" for form, rows in sorted((+counts).items())]
    return (
        f"period is written in {len(counted_forms)} forms: {', '.join(counted_forms)}"
        if len(counted_forms) > 1
        else ""
    )


def _day_and_form(text: str) -> tuple[int, str]:
    """Return the day of a text and the form it is written in.

    Raises:
        ValueError: The text is no date; describes why.
    """
    if found := _SPAN.fullmatch(text):
        return _day_and_form(found["start"])
    if found := _QUARTER.fullmatch(text):
        month = 3 * int(found["quarter"]) - 2
        return _day(text, int(found["year"]), month, 1), "YYYY-Qn" if "-" in text else "YYYYQn"
    if found := _WEEK.fullmatch(text):
        return _monday(text, int(found["year"]), int(found["week"])), "YYYY-Www"
    found = _PARTED.fullmatch(text) or _SOLID.fullmatch(text)
    if not found:
        raise ValueError(_no_date(text))
    parts = found.groupdict()
    day = _day(text, int(parts["year"]), int(parts["month"]), int(parts["day"] or 1))
    form = (parts.get("mark") or "").join(["YYYY", "MM", "DD"] if parts["day"] else ["YYYY", "MM"])
    return day, f"{form} with a time" if parts.get("clock") else form


def _day(text: str, year: int, month: int, day: int) -> int:
    if not 1 <= month <= MONTHLY.year:
        raise ValueError(f"{text} is no {{}}")
    _check_year(text, year)
    try:
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError as err:
        raise ValueError(f"{text} is no day") from err


def _monday(text: str, year: int, week: int) -> int:
    _check_year(text, year)
    try:
        return date.fromisocalendar(year, week, 1).toordinal() - _EPOCH
    except ValueError as err:
        raise ValueError(f"{text} is no {{}}") from err


def _check_year(text: str, year: int) -> None:
    if not YEARS[0] <= year <= YEARS[1]:
        raise ValueError(f"{text} lies outside the years {YEARS[0]} to {YEARS[1]}")


def _no_date(text: str) -> str:
    if not text:
        return "period is empty"
    if _YEAR_LAST.fullmatch(text):
        return f"{shown(text)} is not written year first, so its month is doubtful"
    return f"{shown(text)} is no {{}}"
