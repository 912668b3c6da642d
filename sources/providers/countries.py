"""Country codes and names of providers, and the destinations they stand for."""

import gettext
import unicodedata
from functools import cache
from typing import Final

import pycountry

from store.vocabulary import EU27, EU27_MEMBERS, WORLD

_COMTRADE: Final = {
    "0": WORLD,
    "97": EU27,
    "251": "FRA",
    "490": "TWN",
    "579": "NOR",
    "699": "IND",
    "757": "CHE",
    "842": "USA",
}
"""Codes of UN Comtrade that are not those of UN M49. 490 is "Other Asia, not elsewhere specified",
in practice Taiwan; 251, 579, 699, 757 and 842 take in outlying parts."""

_NO_COUNTRIES: Final = frozenset(
    [
        129, 221, 290, 412, 471, 472, 473, 492, 527, 530, 536, 568, 577, 636, 637, 736, 837, 838,
        839, 849, 879, 891, 899,
    ]
)  # fmt: skip
"""Codes of UN Comtrade for areas not elsewhere specified, bunkers (837), free zones (838), special
categories (839) and former countries."""

_COMEXT: Final = {"EU27_2020": EU27, "EL": "GRC", "UK": "GBR"}
"""Codes of Eurostat that are not those of ISO."""


@cache
def comtrade_places() -> dict[int, str]:
    """Return the destination of each UN Comtrade code for a country or sum."""
    iso = {int(country.numeric): str(country.alpha_3) for country in pycountry.countries}
    return {**iso, **{int(code): name for code, name in _COMTRADE.items()}}


@cache
def comtrade_codes() -> tuple[int, ...]:
    """Return every code UN Comtrade is known to use, sorted."""
    return tuple(sorted({*comtrade_places(), *_NO_COUNTRIES}))


def comtrade_place(code: int) -> str:
    """Return the destination for a code of UN Comtrade.

    A code that is not a country ("Areas, not elsewhere specified" is 899) gets its own name,
    ``X899``, so that destinations still add up to the world.
    """
    return comtrade_places().get(code, f"X{code:03d}")


def comext_place(code: str) -> str:
    """Return the destination for a reporter of Eurostat.

    Raises:
        ValueError: it is no country; worded to follow "is not".
    """
    if (place := _COMEXT.get(code)) is not None:
        return place
    country = pycountry.countries.get(alpha_2=code)
    if country is None:
        raise ValueError("a member of the EU (two letters) or EU27_2020")
    return str(country.alpha_3)


def comext_members() -> tuple[str, ...]:
    """Return the EU's present members as Eurostat writes them, sorted."""
    from_iso = {country.alpha_3: country.alpha_2 for country in pycountry.countries}
    return tuple(sorted(from_iso[member] for member in EU27_MEMBERS))


UNNAMED: Final = "X899"
"""Unspecified partners; a name of their own, so that destinations still add up."""

_OWN: Final = {
    WORLD: (
        "合计|总计|总值|总额|全球|世界|全部|total|grand total|all|world|all countries|total value"
    ),
    EU27: "欧盟|欧洲联盟|european union|eu|eu27",
    UNNAMED: (
        "国家(地区)不明|其他国家(地区)|不明|其他|其他国家|其他国家或地区|"
        "other countries|others|unknown|not specified|countries (regions) unknown|"
        "areas nes"
    ),
    "TWN": (
        "台湾|中国台湾|台湾省|中国台湾省|台湾地区|台澎金马关税区|taiwan|"
        "taiwan, china|taiwan china|taiwan province of china|chinese taipei"
    ),
    "HKG": ("香港|中国香港|香港特别行政区|hong kong|hong kong, china|hongkong|hong kong china"),
    "MAC": ("澳门|中国澳门|澳门特别行政区|macau|macao|macau, china|macao, china|macao china"),
    "KOR": (
        "韩国|南朝鲜|大韩民国|south korea|korea, republic of|republic of korea|"
        "korea rep.|korea|rep. of korea"
    ),
    "PRK": "朝鲜|north korea|dpr korea|korea, dpr|d.p.r. korea",
    "RUS": "俄罗斯|俄罗斯联邦|russia|russian federation",
    "USA": "美国|美利坚合众国|united states|usa|united states of america|us|u.s.a.",
    "GBR": "英国|联合王国|united kingdom|uk|great britain|britain",
    "VNM": "越南|vietnam|viet nam",
    "CZE": "捷克|捷克共和国|czech republic|czechia",
    "TUR": "土耳其|turkey|turkiye|türkiye",
    "IRN": "伊朗|iran|iran, islamic republic of",
    "LAO": "老挝|laos|lao pdr",
    "SYR": "叙利亚|syria|syrian arab republic",
    "ARE": "阿联酋|阿拉伯联合酋长国|united arab emirates|uae",
    "SAU": "沙特阿拉伯|沙特|saudi arabia",
    "BGD": "孟加拉国|孟加拉|bangladesh",
    "KHM": "柬埔寨|cambodia|kampuchea",
    "KGZ": "吉尔吉斯斯坦|吉尔吉斯|kyrgyzstan|kirghizia",
    "MLT": "马耳他|malta",
    "HND": "洪都拉斯|honduras",
    "BOL": "玻利维亚|多民族玻利维亚国|bolivia",
    "VEN": "委内瑞拉|venezuela",
    "MDA": "摩尔多瓦|moldova",
    "TZA": "坦桑尼亚|tanzania",
    "MMR": "缅甸|myanmar|burma",
    "CIV": "科特迪瓦|cote d'ivoire|ivory coast|côte d'ivoire",
    "COD": "刚果民主共和国|刚果(金)|congo dr|dr congo|congo, dem. rep.",
    "COG": "刚果|刚果(布)|刚果共和国|congo",
    "SWZ": "斯威士兰|swaziland|eswatini",
    "MKD": "北马其顿|马其顿|macedonia|north macedonia",
    "BRN": "文莱|brunei|brunei darussalam",
    "TLS": "东帝汶|east timor",
    "ZAF": "南非|南非共和国|south africa",
    "CAF": "中非|中非共和国|central african republic",
    "DOM": "多米尼加|多米尼加共和国|dominican republic",
    "BIH": (
        "波黑|波斯尼亚和黑塞哥维那|波斯尼亚-黑塞哥维那|bosnia and herzegovina|bosnia&hercegovina"
    ),
    "TTO": "特立尼达和多巴哥|trinidad and tobago|trinidad & tobago",
    "CHN": "中国|china",
}
"""Names used by customs in addition to those of ISO 3166, separated by bars."""

REGIONS: Final = frozenset(
    {
        "亚洲", "非洲", "欧洲", "拉丁美洲", "北美洲", "大洋洲", "东盟", "东南亚国家联盟", "中东",
        "亚太经合组织", "一带一路", "asia", "africa", "europe", "latin america", "north america",
        "south america", "oceania", "asean", "apec", "middle east", "belt and road", "rcep",
    }
)  # fmt: skip
"""Sums of countries that a download may hold and that are left out."""


def partner_place(text: str) -> str | None:
    """Return the destination a partner's name means; None for a region, which is a sum.

    Raises:
        ValueError: no country or sum is called so; worded to follow "is not".
    """
    name = _plain(text)
    if name in REGIONS:
        return None
    if (place := _names().get(name)) is not None:
        return place
    raise ValueError("a partner the customs name (in Chinese or English), or ISO alpha-3")


@cache
def _names() -> dict[str, str]:
    chinese = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=["zh_CN"])
    found: dict[str, str] = {}
    for country in pycountry.countries:
        english = {country.alpha_3, country.name}
        english |= {
            getattr(country, n) for n in ("common_name", "official_name") if hasattr(country, n)
        }
        for name in [*english, *(chinese.gettext(name) for name in english)]:
            found[_plain(name)] = country.alpha_3
    for place, words in _OWN.items():
        for name in words.split("|"):
            found[_plain(name)] = place
    return found


def _plain(text: str) -> str:
    """Return a name normalised for comparison: lower case, plain signs, single spaces."""
    plain = unicodedata.normalize("NFKC", text).replace(",", ", ")
    return " ".join(plain.split()).replace(" ,", ",").lower()
