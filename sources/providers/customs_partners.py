"""Trading partners as China Customs write them, and the places they denote."""

import gettext
import re
import unicodedata
from functools import cache
from typing import Final

import pycountry

from sources.providers.customs_table import customs_words
from store.partner_codes import partner_codes

_CODE: Final = re.compile(r"\d{3}", re.ASCII)


class UnknownPartnerError(ValueError):
    """Neither code nor name is in the tables."""


def partner_place(name: str, code: str = "") -> str | None:
    """Return the place of a partner, by its code or else by its name; None for a sum of places.

    Args:
        name: Chinese or English, however spaced and punctuated; may be empty beside a code.
        code: 贸易伙伴编码, three digits; anything else is no code.

    Raises:
        UnknownPartnerError: The customs' table and ISO 3166 have neither.
        ValueError: Code and name are two different places; worded to follow "is not".
    """
    plain = _plain(name)
    if plain in _regions():
        return None
    by_code, by_name = _codes().get(code), _names().get(plain)
    if by_code is not None and by_name is not None and by_code != by_name:
        raise ValueError(f"the partner of code {code}, which is {by_code}")
    if (place := by_code or by_name) is None:
        raise UnknownPartnerError("a partner the customs name (in Chinese or English)")
    return place


def residual_place(code: str) -> str | None:
    """Return the place a code would have of its own; None if it is no code of the customs."""
    return f"C{code}" if _CODE.fullmatch(code) else None


@cache
def _codes() -> dict[str, str]:
    return {partner.code: partner.destination for partner in partner_codes()}


@cache
def _regions() -> frozenset[str]:
    return frozenset(map(_plain, customs_words()["regions"]))


@cache
def _names() -> dict[str, str]:
    """Return the places by name: of ISO 3166, of the customs' table, and other spellings."""
    chinese = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["zh_CN"])
    found: dict[str, str] = {}
    for country in pycountry.countries:
        english = {getattr(country, n, country.name) for n in ("common_name", "official_name")}
        english |= {country.alpha_3, country.name}
        for name in [*english, *(chinese.gettext(name) for name in english)]:
            found[_plain(name)] = country.alpha_3
    for partner in partner_codes():
        found |= {_plain(n): partner.destination for n in (partner.name_zh, partner.name_en)}
    for place, words in customs_words()["partners"].items():
        found |= {_plain(name): place for name in words}
    return found


def _plain(text: str) -> str:
    """Return the letters and digits of a name, without accents and case."""
    letters = unicodedata.normalize("NFKD", text.replace("&", " and ")).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
