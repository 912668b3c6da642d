"""Numbers as people read them; what is missing is a dash."""

import math
from typing import Final

MISSING: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"
NBSP: Final = "\N{NO-BREAK SPACE}"
FEW_TONNES: Final = 10
"""Below this a decimal is shown."""


def tonnes(value: float) -> str:
    """Format tonnes with thousands separators; small amounts keep a decimal."""
    if math.isnan(value):
        return MISSING
    return f"{value:,.1f}" if 0 < abs(value) < FEW_TONNES else f"{value:,.0f}"


def signed_tonnes(value: float) -> str:
    """Format a difference in tonnes with its sign."""
    return MISSING if math.isnan(value) else f"{value:+,.0f}".replace("-", MINUS)


def percent(share: float) -> str:
    """Format a share as a percentage."""
    return MISSING if math.isnan(share) else f"{100 * share:.1f}{NBSP}%"


def signed_percent(share: float) -> str:
    """Format a change as a percentage with its sign."""
    if math.isnan(share):
        return MISSING
    rounded = round(100 * share, 1)
    sign = "+" if rounded > 0 else ""
    return f"{sign}{rounded or 0.0:.1f}{NBSP}%".replace("-", MINUS)


def number(value: float) -> str:
    """Format a plain figure with two decimals."""
    return MISSING if math.isnan(value) else f"{value:,.2f}".replace("-", MINUS)
