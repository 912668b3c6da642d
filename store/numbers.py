"""Numbers as people type them, read only where they can mean one thing."""

import re
from typing import Final

HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0c\r\x0e-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""Controls, zero-width characters and marks of direction: nobody sees them in a name."""


def visible(text: str) -> str:
    r"""A text with hidden characters written out, such as ``\u202e``."""
    return HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


_SAME: Final = str.maketrans(
    {
        "\N{NO-BREAK SPACE}": " ",
        "\N{NARROW NO-BREAK SPACE}": " ",
        "\N{THIN SPACE}": " ",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{MINUS SIGN}": "-",
    }
)
_LONE_POINT: Final = re.compile(r"([+-]?[1-9]\d{0,2})\.(\d{3})", re.ASCII)
_GROUPED: Final = re.compile(
    r"([+-]?[1-9]\d{0,2}([,. '])\d{3}(?:\2\d{3})*)(?:(?!\2)[,.](\d+))?", re.ASCII
)
_PLAIN: Final = re.compile(r"([+-]?\d+)(?:[,.](\d+))?", re.ASCII)


def plain_number(text: str, *, decimal: str = "") -> str:
    """A number in plain digits: ``1,000.5``, ``1.000,5`` and ``1 000.5`` give ``1000.5``.

    ``1,000`` is a thousand, as all pages write it; ``1.000`` may be a thousand or one and is
    refused. Digits are retained, so that their number still tells the precision.

    Args:
        decimal: The sign before the decimals where the writer's language is known, else empty: with
            a comma ``1.000`` is a thousand and ``1,000`` is one; the other sign groups. ``14.5``
            means one thing and is read as that.

    Raises:
        ValueError: It is no number, or may be two; worded to follow "is not".
    """
    digits = text.translate(_SAME).strip()
    if decimal:
        return _by_sign(digits, decimal)
    if lone := _LONE_POINT.fullmatch(digits):
        units, point = f"{lone[1]}{lone[2]}", f"{lone[1]}.{lone[2]}"
        raise ValueError(f"clear: it may be {units} or {point}. Write {units}, or {point}0")
    if grouped := _GROUPED.fullmatch(digits):
        units, decimals = re.sub(r"[,. ']", "", grouped[1]), grouped[3]
    elif plain := _PLAIN.fullmatch(digits):
        units, decimals = plain.groups()
    else:
        raise ValueError("a plain number. Write it as 1000 or 1000.5")
    return f"{units}.{decimals}" if decimals else units


def _by_sign(digits: str, decimal: str) -> str:
    group = "." if decimal == "," else ","
    pattern = rf"([+-]?[1-9]\d{{0,2}}(?:[{group} ']\d{{3}})+|[+-]?\d+)(?:[{decimal}](\d+))?"
    match = re.fullmatch(pattern, digits, re.ASCII) or _PLAIN.fullmatch(digits)
    if match is None:
        raise ValueError("a plain number. Write it as 1000 or 1000.5")
    units = re.sub(r"[,. ']", "", match[1])
    return f"{units}.{match[2]}" if match[2] else units


def as_entered(value: float) -> str:
    """A number that a person entered, with all decimals that were retained."""
    return f"{value:,.6f}".rstrip("0").rstrip(".")
