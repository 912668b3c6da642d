"""Names, numbers, chances and commodities in words, and where their pages are found."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final
from urllib.parse import quote

import numpy as np
import pycountry

from service.errors import UnknownError
from store.errors import first_few
from store.partner_codes import residual_names
from store.vocabulary import ALL, BY_PARTNER, COMMODITY, DESTINATIONS, EU27, QUANTILES, WORLD

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
    """Format a difference in tonnes with its sign; what rounds to nothing has none."""
    if math.isnan(value):
        return MISSING
    return f"{value:+,.0f}".replace("-", MINUS) if round(value) else "0"


def percent(share: float) -> str:
    """Format a share as a percentage."""
    return MISSING if math.isnan(share) else f"{100 * share:.1f}%"


def signed_percent(share: float) -> str:
    """Format a change as a percentage with its sign."""
    if math.isnan(share):
        return MISSING
    rounded = round(100 * share, 1)
    sign = "+" if rounded > 0 else ""
    return f"{sign}{rounded or 0.0:.1f}%".replace("-", MINUS)


def number(value: float) -> str:
    """Format a plain figure with two decimals."""
    return MISSING if math.isnan(value) else f"{value:,.2f}".replace("-", MINUS)


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
    own = DESTINATION_NAMES.get(destination) or residual_names().get(destination)
    return own or _country(destination)


def scope_name(scope: str) -> str:
    """Return the scope of a score in words: all destinations, or one."""
    return "All destinations" if scope == ALL else name_of(scope)


AREAS: Final = {
    "AFRICA": "Africa",
    "ASIA": "Asia",
    "EUROPE": "Europe",
    "EUR_REGION": "Europe (region)",
    "NORTH_AMERICA": "North America",
    "OCEANIA": "Oceania",
    "SOUTH_AMERICA": "South America",
    "TOP10": "Ten largest destinations",
}
"""Groups of countries that figures are published of."""


def _area(code: str) -> str:
    """Return a group of countries, a part of one or a sum in words, or the code when it is none."""
    whole, _, part = code.partition("_EX_")
    if part:
        return f"{name_of(whole)} without {name_of(part)}"
    if "+" in code:
        return " and ".join(map(name_of, code.split("+")))
    return AREAS.get(code, code)


@cache
def _country(code: str) -> str:
    """Return the name of a country by its ISO alpha-3 code, or the code when it is none."""
    found = pycountry.countries.get(alpha_3=code)
    return _area(code) if found is None else str(getattr(found, "common_name", found.name))


def in_reading_order(destinations: Iterable[str]) -> list[str]:
    """Return destinations once each, those named here first and in their order."""
    found = set(destinations)
    known = [destination for destination in DESTINATION_NAMES if destination in found]
    return known + sorted(found - set(known))


LOWEST: Final = QUANTILES[0]
HIGHEST: Final = QUANTILES[-1]


def chance_below(values: Sequence[float], level: float) -> float:
    """Return the chance that a month is below a level, interpolated between the quantiles.

    Args:
        values: The quantiles of ``QUANTILES`` in tonnes, not falling.
        level: Tonnes; NaN gives NaN.

    Returns:
        A share; ``LOWEST`` means at most that, ``HIGHEST`` at least that, because the tails are not
        published.
    """
    if np.isnan(level):
        return float("nan")
    known = np.asarray(values, dtype=float)
    if level < known[0]:
        return LOWEST
    if level > known[-1]:
        return HIGHEST
    # Of equal quantiles the highest counts: so much lies at or below them.
    steps = np.append(np.diff(known) > 0, True)
    return float(np.interp(level, known[steps], np.asarray(QUANTILES)[steps]))


def chance_words(chance: float) -> str:
    """Return a chance in whole percent, or as a bound beyond the published quantiles."""
    if np.isnan(chance):
        return MISSING
    if chance <= LOWEST:
        return f"under {100 * LOWEST:.0f}%"
    if chance >= HIGHEST:
        return f"over {100 * HIGHEST:.0f}%"
    return f"{100 * chance:.0f}%"


def model_words(status: str) -> str:
    """Return which model made a forecast, as a planner calls it; ``status`` as published."""
    return "usual" if status == "champion" else status.replace("champion", "model")


MEASURES: Final = {
    "net_weight_t": "exports, t",
    "lead_min_t": "lead over the next in the ranking, t at least",
    "value_musd": "export value, USD million",
    "share_pct": "share of exports, %",
    "yoy_pct": "change on the year, %",
    "mom_pct": "change on the month, %",
    "mirror_import_t": "partner's imports, t",
    "mirror_import_meur": "partner's imports, EUR million",
    "mirror_import_musd": "partner's imports, USD million",
    "mirror_import_share_pct": "share of the partner's imports, %",
}
"""What published figures measure, with their unit."""


def measure_words(measure: str) -> str:
    """Return a measure in words, with its unit; one without is shown by its name."""
    return MEASURES.get(measure, measure.replace("_", " "))


def statement_words(statement: str) -> str:
    """Return a figure named by place, months, measure and value as a reader would write it."""
    parts = statement.split(" ")
    if len(parts) != 4:  # noqa: PLR2004 - place, months, measure, value
        return statement
    place, months, measure, value = parts
    span = " to ".join(dict.fromkeys(months.split("..")))
    return f"{name_of(place)}, {span}, {measure_words(measure)}: {value}"


MAGNETS: Final = "rare-earth magnets"

LABELS: Final = {
    COMMODITY: MAGNETS,
    f"{COMMODITY}{BY_PARTNER}": f"{MAGNETS}, by the full partner table",
}
"""Commodities with a name of their own here; others are shown by label and code."""


def label_of(commodity: str, labels: Mapping[str, str]) -> str:
    """Return the label of a commodity, empty where none is known; ``labels`` as published."""
    return LABELS.get(commodity) or labels.get(commodity, "")


def words_of(commodity: str, labels: Mapping[str, str]) -> str:
    """Return a commodity in words, with its code, since labels may be alike."""
    if commodity in LABELS:
        return LABELS[commodity]
    label = labels.get(commodity)
    return f"{label} ({commodity})" if label else f"commodity {commodity}"


def full_words_of(commodity: str, labels: Mapping[str, str]) -> str:
    """Return a commodity in words as a title has them, with the code of the magnets too."""
    if commodity == COMMODITY:
        return f"rare-earth permanent magnets (HS {COMMODITY})"
    return words_of(commodity, labels)


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
