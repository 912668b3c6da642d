"""How reports write places, periods and numbers, and how exact a printed number is."""

import re
from typing import Final, NamedTuple

import pandas as pd
import pycountry

from sources.files.file_reader import check_year
from store.vocabulary import CONTINENTS, COVERED, EU27, UNKNOWN, WORLD, is_covered

COUNTRIES: Final = frozenset(str(country.alpha_3) for country in pycountry.countries)
"""ISO 3166-1 alpha-3."""

_AREAS: Final = COUNTRIES | {WORLD, EU27, *CONTINENTS}
"""Geographic areas: countries, the world, EU27, regions."""

_GROUPS: Final = frozenset({"WLD_EX_USA", "TOP10"})
"""Other groupings reports use."""


def parse_destination(text: str) -> str:
    """Check a place or a sum of countries such as ``DEU+USA+KOR``."""
    parts = text.split("+")
    countries = len(parts) > 1 and len(set(parts)) == len(parts) and COUNTRIES.issuperset(parts)
    if text in _AREAS or text in _GROUPS or countries:
        return text
    raise ValueError("a destination (ISO alpha-3, WLD, EU27, a region, or a sum such as DEU+USA)")


def parse_areas(text: str) -> str:
    """Check a list of places such as ``USA;EU27``."""
    if all(part in _AREAS for part in text.split(";")):
        return text
    raise ValueError("a list of destinations (ISO alpha-3, WLD or EU27, with ; between)")


def parse_covers(text: str) -> str:
    """Check what an act covers, such as ``magnets;85051110``."""
    if text == UNKNOWN or all(is_covered(part) for part in text.split(";")):
        return text
    raise ValueError(f"HS codes or {', '.join(COVERED)}, with ; between, or {UNKNOWN}")


_MONTH: Final = r"\d{4}-(?:0[1-9]|1[0-2])"
_YEAR: Final = re.compile(r"\d{4}", re.ASCII)
_RANGE: Final = re.compile(rf"({_MONTH})(?:\.\.({_MONTH}))?", re.ASCII)


class Period(NamedTuple):
    """First days of the first and the last month."""

    first: pd.Timestamp
    last: pd.Timestamp

    @property
    def end(self) -> pd.Timestamp:
        return end_of_month(self.last)


def month(text: str) -> pd.Timestamp:
    """First day of ``YYYY-MM``."""
    check_year(text)
    return pd.Timestamp(f"{text}-01").as_unit("us")


def end_of_month(day: pd.Timestamp) -> pd.Timestamp:
    """Last day of the month ``day`` lies in."""
    return day + pd.offsets.MonthEnd(0)


def parse_period(text: str) -> Period:
    """Months of ``YYYY-MM``, ``YYYY`` or ``YYYY-MM..YYYY-MM``."""
    if _YEAR.fullmatch(text):
        return Period(month(f"{text}-01"), month(f"{text}-12"))
    if not (match := _RANGE.fullmatch(text)):
        raise ValueError("a period YYYY-MM, YYYY or YYYY-MM..YYYY-MM")
    period = Period(month(match[1]), month(match[2] or match[1]))
    if period.last < period.first:
        raise ValueError("a period that ends no earlier than it begins")
    return period


_LOOSE: Final = re.compile(
    r"\b(approx\w*|about|around|rough|roughly|nearly|almost|more than|over(?= ~?\d)|just over)\b",
    re.IGNORECASE,
)
"""Words that make a number approximate; whole words, because "wrought" is not "rough"."""

_LOOSENESS: Final = 3.0
"""How much wider the error of an approximate number is than its digits imply."""

_STATED: Final = re.compile(r"\+/-\s*(\d+(?:\.\d+)?)\s*(%|t\b|musd\b)")
"""A tolerance stated in the note."""

_MULTIPLE: Final = re.compile(r"\b(\d+\.\d+) times\b")
"""Growth given as a multiple, "5.1 times May"."""

_TRAILING_ZEROS: Final = re.compile(r"[1-9]\d*?(0{3,})")


def half_width(value: str, unit: str, note: str = "") -> float:
    """Half the last meaningful digit of a printed number, in the number's unit.

    A whole number with three or more trailing zeros counts as rounded at its last other digit,
    unless it is a percentage. Approximate wording triples the width. A tolerance stated in the
    note, or growth given as a multiple with few digits, is used where it is wider.

    Args:
        unit: ``pct``, ``t`` or another unit of the vocabulary.
        note: the row's note on the number.
    """
    width = _digit(value, rounds=unit != "pct") / 2
    if _LOOSE.search(note):
        width *= _LOOSENESS
    return max(width, _stated(value, unit, note), _multiple(unit, note))


def _digit(value: str, *, rounds: bool) -> float:
    digits, _, decimals = value.lstrip("+-").partition(".")
    if decimals:
        return float(f"1e-{len(decimals)}")
    zeros = _TRAILING_ZEROS.fullmatch(digits) if rounds else None
    return float(f"1e{len(zeros[1])}") if zeros else 1.0


def _stated(value: str, unit: str, note: str) -> float:
    """Widest tolerance the note states in the row's unit or, for levels, in percent."""
    widths = [0.0]
    for amount, of in _STATED.findall(note):
        if of == unit:
            widths.append(float(amount))
        elif of == "%" and unit != "pct":
            widths.append(abs(float(value)) * float(amount) / 100)
    return max(widths)


def _multiple(unit: str, note: str) -> float:
    match = _MULTIPLE.search(note) if unit == "pct" else None
    return 100 * _digit(match[1], rounds=False) / 2 if match else 0.0
