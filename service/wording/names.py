"""Destinations in words and in the order people read them."""

from collections.abc import Iterable
from functools import cache
from typing import Final

import pycountry

from store.vocabulary import DESTINATIONS, EU27, WORLD

DESTINATION_NAMES: Final[dict[str, str]] = {
    WORLD: "World",
    EU27: "European Union (27)",
    "DEU": "Germany",
    "USA": "United States",
    "JPN": "Japan",
    "KOR": "South Korea",
    "VNM": "Vietnam",
    "IND": "India",
    "THA": "Thailand",
    "ITA": "Italy",
    "EU27_REST": "Rest of the European Union",
    "ROW": "Rest of the world",
}
"""Every published destination, in reading order: the aggregates first, the remainders last."""

SHORT_NAMES: Final[dict[str, str]] = {"EU27_REST": "EU\nrest", EU27: "EU\n27"}
"""Column heads narrower than the code."""

if set(DESTINATION_NAMES) != {WORLD, EU27, *DESTINATIONS}:
    raise RuntimeError("DESTINATION_NAMES and store.vocabulary disagree; add the missing name.")


def name_of(destination: str) -> str:
    """Return the destination in words, or its code when it has no name."""
    return DESTINATION_NAMES.get(destination) or _country(destination)


@cache
def _country(code: str) -> str:
    """Return the name of a country by its ISO alpha-3 code, or the code when it is none."""
    found = pycountry.countries.get(alpha_3=code)
    return code if found is None else str(getattr(found, "common_name", found.name))


def in_reading_order(destinations: Iterable[str]) -> list[str]:
    """Return destinations once each, those named here first and in their order."""
    found = set(destinations)
    known = [destination for destination in DESTINATION_NAMES if destination in found]
    return known + sorted(found - set(known))
