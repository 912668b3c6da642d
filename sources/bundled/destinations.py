"""The places reports may name: countries, regions, and sums of them."""

from typing import Final

from store.vocabulary import CONTINENTS, EU27, WORLD

COUNTRIES: Final = frozenset(
    """
    ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR
    BHR BHS BIH BLM BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG
    COK COL COM CPV CRI CUB CUW CXR CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH
    FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY
    HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM
    KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL
    MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR
    NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU
    SDN SEN SGP SGS SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA
    TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB
    VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
    """.split()  # noqa: SIM905  # 249 quoted codes would hide what is one list
)
"""ISO 3166-1 alpha-3."""

AREAS: Final = COUNTRIES | {WORLD, EU27, *CONTINENTS}
"""Geographic areas: countries, the world, EU27, regions."""

GROUPS: Final = frozenset({"WLD_EX_USA", "TOP10"})
"""Other groupings reports use."""


def parse_destination(text: str) -> str:
    """Check a place or a sum of countries such as ``DEU+USA+KOR``.

    Raises:
        ValueError: it is neither; worded to follow "is not".
    """
    parts = text.split("+")
    countries = len(parts) > 1 and len(set(parts)) == len(parts) and COUNTRIES.issuperset(parts)
    if text in AREAS or text in GROUPS or countries:
        return text
    raise ValueError("a destination (ISO alpha-3, WLD, EU27, a region, or a sum such as DEU+USA)")


def parse_areas(text: str) -> str:
    """Check a list of places such as ``USA;EU27``.

    Raises:
        ValueError: a part is no place; worded to follow "is not".
    """
    if all(part in AREAS for part in text.split(";")):
        return text
    raise ValueError("a list of destinations (ISO alpha-3, WLD or EU27, with ; between)")
