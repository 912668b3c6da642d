"""Numbers, months, days and countries as each language writes them, by CLDR."""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Final, Literal

from babel import Locale
from babel.dates import format_date, format_interval, format_skeleton
from babel.lists import format_list

from publication.language.phrases import DEFAULT, LOCALES, language

Form = Literal["day", "long day", "month", "long month", "bare month", "year"]

_SKELETONS: Final[dict[str, str]] = {
    "day": "yMMMd",
    "month": "yMMM",
    "long month": "yMMMM",
    "bare month": "MMM",
    "year": "y",
}
_ENGLISH: Final[dict[Form, str]] = {
    "day": "d MMM y",
    "long day": "d MMMM y",
    "month": "MMM y",
    "long month": "MMMM y",
    "bare month": "LLL",
    "year": "y",
}
"""English of neither side of the Atlantic: the day first, months of three letters."""


@cache
def locale_of(code: str) -> Locale:
    """Locale of a language."""
    return Locale.parse(LOCALES.get(code, code))


def separated(digits: str) -> str:
    """Number written with English separators with those of the language."""
    return digits.translate(_separators(language()))


@cache
def _separators(code: str) -> dict[int, str]:
    symbols = locale_of(code).number_symbols["latn"]
    return str.maketrans({",": symbols["group"], ".": symbols["decimal"]})


def decimal_sign() -> str:
    """Decimal sign of the language; empty in English, whose readers use both."""
    code = language()
    return "" if code == DEFAULT else str(locale_of(code).number_symbols["latn"]["decimal"])


def percentage(digits: str) -> str:
    """Percentage with its sign as the language puts it."""
    return f"{separated(digits)}{_percent_sign(language())}"


@cache
def _percent_sign(code: str) -> str:
    return str(locale_of(code).percent_formats[None].pattern).lstrip("#,0")


def dated(moment: date, form: Form) -> str:
    """Date in the language of the reader, as a day, a month or a year.

    Examples:
        >>> dated(date(2025, 4, 4), "day")
        '4 Apr 2025'
    """
    code = language()
    if code == DEFAULT:
        return format_date(moment, _ENGLISH[form], locale_of(code))
    if form == "long day":
        return format_date(moment, "long", locale_of(code))
    return format_skeleton(_SKELETONS[form], moment, locale=locale_of(code))


def months_between(first: date, last: date) -> str:
    """Run of months by its first and last; a year that both share is written once.

    Examples:
        >>> months_between(date(2026, 8, 1), date(2026, 10, 1))
        'August to October 2026'
    """
    code = language()
    if (first.year, first.month) == (last.year, last.month):
        return dated(last, "long month")
    if code != DEFAULT:
        return format_interval(first, last, "yMMMM", locale=locale_of(code))
    start = f"{first:%B}" if first.year == last.year else dated(first, "long month")
    return f"{start} to {dated(last, 'long month')}"


def territory(alpha_2: str) -> str | None:
    """Name of a country or area by its code of two letters or three digits."""
    name = locale_of(language()).territories.get(alpha_2)
    return None if name is None else str(name)


def listed(parts: Sequence[str]) -> str:
    """Parts as a list in a sentence: ``A, B and C``.

    Examples:
        >>> listed(["USA", "Germany", "Korea"])
        'USA, Germany and Korea'
    """
    return format_list(parts, locale=locale_of(_COMMAS.get(language(), language())))


_COMMAS: Final = {"en": "en_GB"}
"""English without a comma before the last."""
