"""The rounding error of a printed number, from its digits and its wording."""

import re
from typing import Final

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
    """Return half the last meaningful digit of a printed number, in the number's unit.

    A whole number with three or more trailing zeros counts as rounded at its last other digit,
    unless it is a percentage. Approximate wording triples the width. A tolerance stated in the
    note, or growth given as a multiple with few digits, is used where it is wider.

    Args:
        value: the number as printed.
        unit: ``pct``, ``t`` or another unit of the vocabulary.
        note: the row's note on the number.
    """
    width = _digit(value, rounds=unit != "pct") / 2
    if _LOOSE.search(note):
        width *= _LOOSENESS
    return max(width, _stated(value, unit, note), _multiple(unit, note))


def _digit(value: str, *, rounds: bool) -> float:
    """Return the size of one unit in the last meaningful digit."""
    whole, _, decimals = value.lstrip("+-").partition(".")
    if decimals:
        return float(f"1e-{len(decimals)}")
    zeros = _TRAILING_ZEROS.fullmatch(whole) if rounds else None
    return float(f"1e{len(zeros[1])}") if zeros else 1.0


def _stated(value: str, unit: str, note: str) -> float:
    """Return the widest tolerance the note states in the row's unit or, for levels, in percent."""
    widths = [0.0]
    for amount, of in _STATED.findall(note):
        if of == unit:
            widths.append(float(amount))
        elif of == "%" and unit != "pct":
            widths.append(abs(float(value)) * float(amount) / 100)
    return max(widths)


def _multiple(unit: str, note: str) -> float:
    """Return half the last digit of a multiple, in percent."""
    match = _MULTIPLE.search(note) if unit == "pct" else None
    return 100 * _digit(match[1], rounds=False) / 2 if match else 0.0
