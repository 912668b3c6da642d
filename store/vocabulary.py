"""Closed sets, codes and column names used across the product."""

import re
from typing import Final, Literal, get_args

COMMODITY: Final = "85051110"
"""China's 8-digit export code for rare-earth permanent magnets."""

BY_PARTNER: Final = "-partners"
"""Suffix of the key under which forecasts of the full partner table of magnets are published."""


def figures_of(published_as: str) -> str:
    """The commodity whose figures the forecasts published under a key are made from."""
    return published_as.removesuffix(BY_PARTNER)


HS6: Final = "850511"
"""The six-digit code shared by all countries; it includes other metal magnets. Never mixed with
COMMODITY."""

MONTH_PATTERN: Final = r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])$"

Language = Literal["en", "de", "ja", "ko", "zh"]
"""Languages of pages and reports."""

ORIGIN: Final = "CHN"

DESTINATIONS: Final[tuple[str, ...]] = (
    "USA", "DEU", "JPN", "KOR", "VNM", "IND", "THA", "ITA", "EU27_REST", "ROW",
)  # fmt: skip
"""Destinations that partition the world: eight countries, the rest of EU27, the rest of the
world."""

ALL: Final = "ALL"
"""Scope of a score over all destinations."""

FORECASTABLE: Final = "FORECASTABLE"
"""The same without months that a control shaped which nobody had announced by the forecast."""

WORLD: Final = "WLD"
EU27: Final = "EU27"
AGGREGATES: Final[dict[str, tuple[str, ...]]] = {
    WORLD: DESTINATIONS,
    EU27: ("DEU", "ITA", "EU27_REST"),
}
"""Sums of destinations that are forecast and published with them."""

EU27_MEMBERS: Final = frozenset(
    [
        "AUT", "BEL", "BGR", "HRV", "CYP", "CZE", "DNK", "EST", "FIN",
        "FRA", "DEU", "GRC", "HUN", "IRL", "ITA", "LVA", "LTU", "LUX",
        "MLT", "NLD", "POL", "PRT", "ROU", "SVK", "SVN", "ESP", "SWE",
    ]
)  # fmt: skip


def importer_of(destination: str) -> str:
    """Customs union or country whose tariff applies to a destination.

    Examples:
        >>> importer_of("DEU"), importer_of("USA")
        ('EU27', 'USA')
    """
    return EU27 if destination in EU27_MEMBERS.union(AGGREGATES[EU27]) else destination


CONTINENTS: Final[dict[str, tuple[str, ...]]] = {
    "EUROPE": (EU27,),
    "EUR_REGION": (EU27,),
    "ASIA": ("JPN", "KOR", "VNM", "IND", "THA"),
    "NORTH_AMERICA": ("USA",),
    "NORTH_AMERICA_EX_USA": (),
    "EUROPE_EX_EU27": (),
    "AFRICA": (),
    "OCEANIA": (),
    "SOUTH_AMERICA": (),
}
"""Named regions and the modelled destinations entirely within them."""

UNITS: Final[dict[str, str]] = {
    "net_weight_t": "t",
    "value_musd": "musd",
    "yoy_pct": "pct",
    "mom_pct": "pct",
    "share_pct": "pct",
    "lead_min_t": "t",
    "index": "index",
    "mirror_import_t": "t",
    "mirror_import_meur": "meur",
    "mirror_import_musd": "musd",
    "mirror_import_share_pct": "pct",
}
"""Unit of each measure."""

MEASURES: Final = tuple(UNITS)
"""``lead_min_t`` of destination ``A-B`` is the least lead of A over B in tonnes (a ranking); an
``index`` is any other monthly number, such as an exchange rate."""

Instrument = Literal[
    "tariff_increase", "tariff_decrease", "export_control", "export_ban",
    "export_licence_relaxation", "entity_list", "quota", "truce", "trade_talks", "investigation",
    "legal_ruling", "supply_deal", "subsidy", "stockpile", "other",
]  # fmt: skip
INSTRUMENTS: Final[tuple[str, ...]] = get_args(Instrument)

COVERED: Final = (
    "magnets", "ndfeb_magnets", "smco_magnets", "heavy_magnets", "rare_earths", "other_minerals",
    "dual_use", "technology", "equipment", "all_goods", "other",
)  # fmt: skip
"""What an act may cover, besides HS codes; magnets with terbium, dysprosium, holmium and the like
are heavy."""

UNKNOWN: Final = "unknown"
"""Coverage of an act that nobody has determined yet: it has no effect on a forecast."""

_HS_CODE: Final = re.compile(r"\d{4}(\d\d){0,3}", re.ASCII)


def is_covered(text: str) -> bool:
    """Whether a text names something that an act may cover: an HS code or one of ``COVERED``.

    Examples:
        >>> is_covered("850511"), is_covered("magnet steel")
        (True, False)
    """
    return text in COVERED or _HS_CODE.fullmatch(text) is not None


Direction = Literal["restrictive", "easing", "neutral"]

Family = Literal["season", "momentum", "tariffs", "policy", "world"]
FAMILIES: Final[tuple[str, ...]] = get_args(Family)
"""Causes that features of the model are assigned to."""

NOT_REPRODUCED: Final = "not_reproduced"
"""The part of a published number, or of a change, that can no longer be recomputed."""

CONTRIBUTIONS: Final = (
    "level", *FAMILIES, "experts", "past_mean", "past_errors", "policy_response", "reconciliation",
)  # fmt: skip
"""Parts that add up to a forecast's p50 in tonnes: the mean month of the last year, the
contributions of the families and the base forecasts (``experts``), the mean deviation of targets in
training, the bias correction from past errors, the response to controls, and reconciliation."""

CHANGED_INPUTS: Final = (
    "passing_time", "new_actuals", "revised_actuals", "tariffs", "policy", "model",
)  # fmt: skip
"""Inputs that may differ between two forecasts of one month, in the order they are replaced."""

CHANGES: Final = (*CHANGED_INPUTS, "reconciliation", NOT_REPRODUCED)
"""Parts that add up to the change of a forecast's p50 in tonnes."""

QUANTILES: Final = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
QUANTILE_COLUMNS: Final = tuple(f"p{round(q * 100):02d}" for q in QUANTILES)

ERROR_AUTOCORRELATION: Final = "carry_over"
"""Metric of a score: the share of one month's forecast error that carries into the next month, 0 to
1, from all destinations together."""

ERROR_CORRELATION: Final = "error_correlation"
"""Metric of a score: the correlation of two destinations' forecast errors in one month, 0 to 1."""

FORECAST_COLUMNS: Final = (
    "destination", "cutoff", "period", "horizon", *QUANTILE_COLUMNS, "mean", "model", "status",
)  # fmt: skip
"""Columns of a forecast file; ``cutoff`` and ``period`` are ``YYYY-MM``, the numbers are tonnes."""

PANEL_COLUMNS: Final = ("destination", "period", "tonnes", "stderr_t", "kind", "available_at")
"""Columns of the evidence panel; ``period`` is the first day of the month."""

HISTORY_START: Final = "2016-01"
"""First month of the evidence panel; earlier published figures are too few."""

EARLIEST_AS_OF: Final = "2019-01-01"
"""First moment the evidence panel is defined for."""

MONTHS_AHEAD: Final = 12
"""Months forecast after the last complete month."""

PANEL_HORIZON: Final = 6
"""Months forecast of a panel where nothing is said, and the last that scores count."""

MAX_HORIZON: Final = 18
"""Longest trained horizon: twelve months ahead plus six months of late data."""

NOT_A_TARIFF: Final = frozenset({"IGST"})
"""Components an importer gets back. Source: data/tariff_rates.csv, legal_reference."""

OTHER_SUFFIXES: Final = "8505.11.0010"
"""Marks steps for magnets other than sintered NdFeB, which is most of what 85051110 holds."""
