"""Months as users' files write them, year first."""

import calendar
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sources.files.messages import counted, shown

NO_MONTH: Final = -1
"""Marks a text that is not a month."""

MONTHS: Final = 12
"""Months of a year."""

YEARS: Final = (1700, 2199)
"""Years accepted. Others are typing errors that would make a dense table huge."""

_CLOCK: Final = r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?Z| ?UTC|[+-]\d{2}:?\d{2})?"
_PARTED: Final = re.compile(
    rf"(?P<year>\d{{4}})(?P<mark>[-/])(?P<month>\d{{1,2}})"
    rf"(?:(?P=mark)(?P<day>\d{{1,2}})(?P<clock>{_CLOCK})?)?",
    re.ASCII,
)
_SOLID: Final = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})?", re.ASCII)
_YEAR_LAST: Final = re.compile(r"\d{1,2}[-/. ]\d{1,2}[-/. ]\d{2,4}.*", re.ASCII)


@dataclass(frozen=True, slots=True)
class MonthTexts:
    """The months of some texts; all fields have the same length."""

    numbers: NDArray[np.int32]
    """Month numbers (year * 12 + month - 1), ``NO_MONTH`` where a text is none."""
    forms: tuple[str, ...]
    """How the text is written, e.g. ``YYYY-MM``; empty where it is no month."""
    faults: tuple[str, ...]
    """Why the text is no month; empty where it is one."""


def month_label(number: int) -> str:
    """Return a numbered month as ``YYYY-MM``."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def read_months(texts: Sequence[str]) -> MonthTexts:
    """Return the months of texts.

    Read are YYYY-MM, YYYY-M, YYYY/MM, YYYYMM, a day of the month in these forms and ISO 8601 dates
    with a time, of which the month is taken as written, whatever the offset.
    """
    numbers = np.full(len(texts), NO_MONTH, dtype=np.int32)
    forms, faults = [""] * len(texts), [""] * len(texts)
    for place, text in enumerate(texts):
        try:
            numbers[place], forms[place] = month_and_form(text)
        except ValueError as err:
            faults[place] = str(err)
    return MonthTexts(numbers, tuple(forms), tuple(faults))


def form_note(texts: MonthTexts, places: NDArray[np.int32]) -> str:
    """Return a note if the months of some rows are written in more than one form, else "".

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


def month_and_form(text: str) -> tuple[int, str]:
    """Return the number of a month and the form it is written in.

    Raises:
        ValueError: The text is not a month; describes why.
    """
    text = text.strip()
    found = _PARTED.fullmatch(text) or _SOLID.fullmatch(text)
    if not found:
        raise ValueError(_no_month(text))
    parts = found.groupdict()
    year, month, day = int(parts["year"]), int(parts["month"]), parts["day"]
    if not 1 <= month <= MONTHS:
        raise ValueError(f"{text} is no month")
    if not YEARS[0] <= year <= YEARS[1]:
        raise ValueError(f"{text} lies outside the years {YEARS[0]} to {YEARS[1]}")
    if day and not 1 <= int(day) <= calendar.monthrange(year, month)[1]:
        raise ValueError(f"{text} is no day")
    mark = parts.get("mark") or ""
    form = mark.join(["YYYY", "MM", "DD"] if day else ["YYYY", "MM"])
    return year * 12 + month - 1, f"{form} with a time" if parts.get("clock") else form


def _no_month(text: str) -> str:
    if not text:
        return "period is empty"
    if _YEAR_LAST.fullmatch(text):
        return f"{shown(text)} is not written year first, so its month is doubtful"
    return f"{shown(text)} is no month"
