"""Country codes and names of providers, and the destinations they denote."""

from functools import cache
from typing import Final

import pycountry

from store.vocabulary import EU27, EU27_MEMBERS, WORLD

_COMTRADE: Final = {
    "0": WORLD,
    "97": EU27,
    "251": "FRA",
    "381": "ITA",
    "490": "TWN",
    "579": "NOR",
    "699": "IND",
    "757": "CHE",
    "842": "USA",
}
"""Codes of UN Comtrade that are not those of UN M49. 490 is "Other Asia, not elsewhere specified",
in practice Taiwan; 251, 381, 579, 699, 757 and 842 take in outlying parts."""

COMTRADE_GROUPS: Final = {975: "ASEAN"}
"""Codes of UN Comtrade for groups of countries that report beside their members: sums, not places.
The EU (97) is a region of its own here; "Other Asia" (490) is a group by name alone."""

_COMEXT: Final = {"EU27_2020": EU27, "EL": "GRC", "UK": "GBR"}
"""Codes of Eurostat that are not those of ISO."""


@cache
def comtrade_places() -> dict[int, str]:
    """Destination of each UN Comtrade code for a country or sum."""
    iso = {int(country.numeric): str(country.alpha_3) for country in pycountry.countries}
    return {**iso, **{int(code): name for code, name in _COMTRADE.items()}}


def comtrade_place(code: int) -> str:
    """Destination for a code of UN Comtrade.

    A code that is not a country ("Areas, not elsewhere specified" is 899) gets its own name,
    ``X899``, so that destinations still add up to the world.
    """
    return comtrade_places().get(code, f"X{code:03d}")


def comext_place(code: str) -> str:
    """Destination for a reporter of Eurostat."""
    if (place := _COMEXT.get(code)) is not None:
        return place
    country = pycountry.countries.get(alpha_2=code)
    if country is None:
        raise ValueError("a member of the EU (two letters) or EU27_2020")
    return str(country.alpha_3)


def comext_members() -> tuple[str, ...]:
    """Present members of the EU as Eurostat writes them, sorted."""
    from_iso = {country.alpha_3: country.alpha_2 for country in pycountry.countries}
    return tuple(sorted(from_iso[member] for member in EU27_MEMBERS))
