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
"""Commodities that have a name of their own here; others are told by label and code."""


class UnknownError(DataError):
    """Asked for something that is not there."""


def label_of(commodity: str, labels: Mapping[str, str]) -> str:
    """Return what a commodity is called, empty where nobody told; ``labels`` as published."""
    return LABELS.get(commodity) or labels.get(commodity, "")


def words_of(commodity: str, labels: Mapping[str, str]) -> str:
    """Return a commodity in words; labels of two may be alike, so their code is said too."""
    label = labels.get(commodity)
    told = f"{label} ({commodity})" if label else f"goods {commodity}"
    return LABELS.get(commodity) or told


def home_of(commodity: str) -> str:
    """Return what addresses of a commodity's pages begin with; the magnets need nothing."""
    return "" if commodity == COMMODITY else f"/goods/{quote(commodity, safe='')}"


def file_of(commodity: str) -> str:
    """Return what names of a commodity's files begin with."""
    return "magnets" if commodity == COMMODITY else re.sub(r"[^A-Za-z0-9]+", "_", commodity)


def asked_of(commodity: str) -> str:
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
