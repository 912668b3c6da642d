"""Commodities in words, and where their pages and answers are found."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from store.errors import DataError, first_few
from store.vocabulary import BY_PARTNER, COMMODITY

MAGNETS: Final = "rare-earth magnets"

LABELS: Final = {
    COMMODITY: MAGNETS,
    f"{COMMODITY}{BY_PARTNER}": f"{MAGNETS}, by the full partner table",
}
"""Commodities with a name of their own here; others are shown by label and code."""


class UnknownError(DataError):
    """The request names something that does not exist."""


def label_of(commodity: str, labels: Mapping[str, str]) -> str:
    """Return the label of a commodity, empty where none is known; ``labels`` as published."""
    return LABELS.get(commodity) or labels.get(commodity, "")


def words_of(commodity: str, labels: Mapping[str, str]) -> str:
    """Return a commodity in words, with its code, since labels may be alike."""
    if commodity in LABELS:
        return LABELS[commodity]
    label = labels.get(commodity)
    return f"{label} ({commodity})" if label else f"commodity {commodity}"


def home_of(commodity: str) -> str:
    """Return the prefix of the addresses of a commodity's pages; none for the magnets."""
    return "" if commodity == COMMODITY else f"/goods/{quote(commodity, safe='')}"


def file_of(commodity: str) -> str:
    """Return the prefix of the names of a commodity's files."""
    return "magnets" if commodity == COMMODITY else re.sub(r"[^A-Za-z0-9]+", "_", commodity)


def query_of(commodity: str) -> str:
    """Return the query that asks the API for a commodity; the magnets need none."""
    return "" if commodity == COMMODITY else f"commodity={quote(commodity, safe='')}"


def known_commodity(commodity: str, published: tuple[str, ...]) -> str:
    """Return a commodity that is published.

    Raises:
        UnknownError: There is no forecast of it.
    """
    if commodity not in published:
        raise UnknownError(
            f"No forecasts of commodity {commodity!r}. Expected one of those published: "
            f"{first_few(published)}. See /api/v1/commodities."
        )
    return commodity
