"""Names, numbers, codes and messages in the language of the page, and addresses of pages."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Final

import numpy as np
import pycountry

from models.evaluation.scores import Coverage
from publication.language.formats import (
    dated,
    listed,
    months_between,
    percentage,
    separated,
    territory,
)
from publication.language.phrases import DEFAULT, gettext, language, marked, translated
from store.facts.commodities import residual_names
from store.messages import Message, Value
from store.vocabulary import (
    ALL,
    BY_PARTNER,
    COMMODITY,
    DESTINATIONS,
    EU27,
    FORECASTABLE,
    QUANTILES,
    WORLD,
)

MISSING: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"
FEW_TONNES: Final = 10
"""Below this a decimal is shown."""


def tonnes(value: float) -> str:
    """Format tonnes with thousands separators; small amounts keep a decimal."""
    if math.isnan(value):
        return MISSING
    return separated(f"{value:,.1f}" if 0 < abs(value) < FEW_TONNES else f"{value:,.0f}")


def signed_tonnes(value: float) -> str:
    """Format a difference in tonnes with its sign; what rounds to nothing has none."""
    if math.isnan(value):
        return MISSING
    return separated(f"{value:+,.0f}").replace("-", MINUS) if round(value) else "0"


def percent(share: float) -> str:
    """Format a share as a percentage."""
    return MISSING if math.isnan(share) else percentage(f"{100 * share:.1f}")


def signed_percent(share: float) -> str:
    """Format a change as a percentage with its sign."""
    if math.isnan(share):
        return MISSING
    rounded = round(100 * share, 1)
    sign = "+" if rounded > 0 else ""
    return percentage(f"{sign}{rounded or 0.0:.1f}").replace("-", MINUS)


def number(value: float) -> str:
    """Format a plain figure with two decimals."""
    return MISSING if math.isnan(value) else separated(f"{value:,.2f}").replace("-", MINUS)


DESTINATION_NAMES: Final[dict[str, str]] = {
    WORLD: marked("World"),
    EU27: marked("European Union (27)"),
    "DEU": "Germany",
    "USA": "United States",
    "JPN": "Japan",
    "KOR": "South Korea",
    "VNM": "Vietnam",
    "IND": "India",
    "THA": "Thailand",
    "ITA": "Italy",
    "EU27_REST": marked("Rest of the European Union"),
    "ROW": marked("Rest of the world"),
}
"""Every published destination, in reading order: the aggregates first, the remainders last."""

SHORT_NAMES: Final[dict[str, str]] = {"EU27_REST": "EU\nrest", EU27: "EU\n27"}
"""Column heads narrower than the code."""

if set(DESTINATION_NAMES) != {WORLD, EU27, *DESTINATIONS}:
    raise RuntimeError("DESTINATION_NAMES and store.vocabulary disagree; add the missing name.")


def name_of(destination: str) -> str:
    """Destination in words, or its code when it has no name."""
    country = pycountry.countries.get(alpha_3=destination)
    if country is not None and language() != DEFAULT and (local := territory(country.alpha_2)):
        return local
    if name := DESTINATION_NAMES.get(destination) or residual_names().get(destination):
        return gettext(name)
    if country is None:
        return _area(destination)
    return str(getattr(country, "common_name", country.name))


def scope_name(scope: str) -> str:
    """Scope of a score in words: all destinations, or one."""
    if scope == FORECASTABLE:
        return gettext("Forecastable months")
    return gettext("All destinations") if scope == ALL else name_of(scope)


_AREAS: Final = {
    "AFRICA": marked("Africa"),
    "ASIA": marked("Asia"),
    "EUROPE": marked("Europe"),
    "EUR_REGION": marked("Europe (region)"),
    "NORTH_AMERICA": marked("North America"),
    "OCEANIA": marked("Oceania"),
    "SOUTH_AMERICA": marked("South America"),
    "TOP10": marked("Ten largest destinations"),
}
"""Groups of countries that figures are published of."""


def _area(code: str) -> str:
    """Group of countries, part of one or sum in words; the code if it is none."""
    area, _, part = code.partition("_EX_")
    if part:
        return gettext("%(area)s without %(part)s", area=name_of(area), part=name_of(part))
    if "+" in code:
        return listed([name_of(member) for member in code.split("+")])
    return gettext(_AREAS[code]) if code in _AREAS else code


def in_reading_order(destinations: Iterable[str]) -> list[str]:
    """Distinct destinations: those named here first and in their order, then by code."""
    codes = set(destinations)
    named = [destination for destination in DESTINATION_NAMES if destination in codes]
    return named + sorted(codes - set(named))


_LOWEST: Final = QUANTILES[0]
_HIGHEST: Final = QUANTILES[-1]


def chance_below(values: Sequence[float], level: float) -> float:
    """Probability that a month is below a level, interpolated between the quantiles.

    Args:
        values: The quantiles of ``QUANTILES`` in tonnes, not falling.
        level: Tonnes; NaN gives NaN.

    Returns:
        A share; ``_LOWEST`` means at most that, ``_HIGHEST`` at least that: the tails are not
        published.
    """
    if np.isnan(level):
        return float("nan")
    quantiles = np.asarray(values, dtype=float)
    if level < quantiles[0]:
        return _LOWEST
    if level > quantiles[-1]:
        return _HIGHEST
    # Of equal quantiles the highest counts: so much lies at or below them.
    steps = np.append(np.diff(quantiles) > 0, True)
    return float(np.interp(level, quantiles[steps], np.asarray(QUANTILES)[steps]))


def chance_words(chance: float) -> str:
    """Probability in whole percent, or as a bound beyond the published quantiles."""
    if np.isnan(chance):
        return MISSING
    if chance <= _LOWEST:
        return gettext("under %(chance)s", chance=percentage(f"{100 * _LOWEST:.0f}"))
    if chance >= _HIGHEST:
        return gettext("over %(chance)s", chance=percentage(f"{100 * _HIGHEST:.0f}"))
    return percentage(f"{100 * chance:.0f}")


def lead_words(group: str) -> str:
    """A group of leads, as ``models.evaluation.scores.group_label``, as pages call it."""
    return gettext("already over") if group == "over" else group


def coverage_words(coverage: Coverage) -> str:
    """Coverage of a band with the number of forecasts, as ``Coverage.words``."""
    if not coverage.forecasts:
        return gettext("none scored")
    values = {
        "inside": separated(f"{round(coverage.share * coverage.forecasts):,}"),
        "count": separated(f"{coverage.forecasts:,}"),
    }
    if not coverage.is_judged:
        return gettext("%(inside)s of %(count)s", **values)
    share = percentage(f"{100 * coverage.share:.0f}")
    return gettext("%(inside)s of %(count)s (%(share)s)", share=share, **values)


def model_words(status: str) -> str:
    """Model of a forecast as a planner calls it; ``status`` as published."""
    return gettext(_MODELS[status]) if status in _MODELS else status.replace("champion", "model")


_MODELS: Final = {
    "champion": marked("main model"),
    "statistical ensemble": marked("statistical ensemble"),
    "seasonal naive": marked("seasonal naive"),
    "last value": marked("last value"),
    "no forecast": marked("no forecast"),
}


MAGNETS: Final = marked("rare-earth magnets")

LABELS: Final = {
    COMMODITY: MAGNETS,
    f"{COMMODITY}{BY_PARTNER}": marked("rare-earth magnets, by the full partner table"),
}
"""Commodities with a name of their own here; others are shown by label and code."""


def goods_name(commodity: str, labels: Mapping[str, str]) -> str:
    """Commodity in words, with its code, since labels may be alike."""
    if commodity in LABELS:
        return gettext(LABELS[commodity])
    label = labels.get(commodity)
    return f"{label} ({commodity})" if label else gettext("commodity %(code)s", code=commodity)


def address_key(commodity: str) -> str:
    """Commodity as addresses and headings name it, also its sort key; empty for the magnets."""
    return "" if commodity == COMMODITY else commodity


def full_goods_name(commodity: str, labels: Mapping[str, str]) -> str:
    """Commodity in words as a title has them, with the code of the magnets too."""
    if not address_key(commodity):
        return gettext("rare-earth permanent magnets (HS %(code)s)", code=COMMODITY)
    return goods_name(commodity, labels)


def slug_of(code: str) -> str:
    """Code of a commodity or destination as addresses and file names have it."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", code)


def file_of(commodity: str) -> str:
    """Prefix of the names of a commodity's files."""
    return slug_of(address_key(commodity)) or "magnets"


CODES: Final = frozenset({
    marked("tariff increase"), marked("tariff decrease"), marked("export control"),
    marked("export ban"), marked("export licence relaxation"), marked("entity list"),
    marked("quota"), marked("truce"), marked("trade talks"), marked("investigation"),
    marked("legal ruling"), marked("supply deal"), marked("subsidy"), marked("stockpile"),
    marked("other"),
    marked("restrictive"), marked("easing"), marked("neutral"),
    marked("published"), marked("derived"), marked("estimated"), marked("reported"),
    marked("finished"), marked("failed"), marked("running"),
    marked("antimony"), marked("artificial graphite"), marked("bismuth"), marked("dysprosium"),
    marked("gadolinium"), marked("gallium"), marked("germanium"), marked("holmium"),
    marked("indium"), marked("lithium battery materials"), marked("lutetium"), marked("magnets"),
    marked("molybdenum"), marked("natural graphite"), marked("rare earths (all)"),
    marked("samarium"), marked("scandium"), marked("silver"), marked("superhard materials"),
    marked("tellurium"), marked("terbium"), marked("tungsten"), marked("yttrium"),
    marked("AD CVD"), marked("IEEPA fentanyl"), marked("IEEPA reciprocal"),
    marked("S122 surcharge"), marked("S232 critical minerals"), marked("S301 excess capacity"),
    marked("S301 forced labour"), marked("S301 four year review"), marked("S301 lists 1 to 4B"),
    marked("HTS 8505.11.0010/.0030/.0050/.0090 (alnico, ceramic, sintered SmCo, other incl. bonded "
           "NdFeB)"),
    marked("HTS 8505.11.00 (all suffixes .10 .30 .50 .70 .90)"),
    marked("HTS 8505.11.0070 (sintered NdFeB)"),
    marked("HS 8505.11 (chapters 25-97 but for farm goods of 35 and 38)"),
})  # fmt: skip
"""Instruments and directions of acts, kinds of figures, states of runs, minerals, laws and goods of
tariffs."""

_SHOWN_AS: Final = {"observed": "published"}
"""Codes that pages call by another word."""


def code_words(code: str) -> str:
    """Code of the data in words; one without is shown by its name."""
    words = _SHOWN_AS.get(code, code.replace("_", " "))
    return gettext(words) if words in CODES else words


_MEASURES: Final = {
    "net_weight_t": marked("exports, t"),
    "lead_min_t": marked("lead over the next in the ranking, t at least"),
    "value_musd": marked("export value, USD million"),
    "share_pct": marked("share of exports, %%"),
    "yoy_pct": marked("change on the year, %%"),
    "mom_pct": marked("change on the month, %%"),
    "mirror_import_t": marked("partner's imports, t"),
    "mirror_import_meur": marked("partner's imports, EUR million"),
    "mirror_import_musd": marked("partner's imports, USD million"),
    "mirror_import_share_pct": marked("share of the partner's imports, %%"),
}
"""What published figures measure, with their unit."""


def measure_words(measure: str) -> str:
    """Measure in words, with its unit; one without is shown by its name."""
    return gettext(_MEASURES[measure]) if measure in _MEASURES else measure.replace("_", " ")


def statement_words(statement: str) -> str:
    """Statement (place, months, measure and value) in words."""
    parts = statement.split(" ")
    if len(parts) != 4:  # noqa: PLR2004 - place, months, measure, value
        return statement
    place, months, measure, value = parts
    first, _, last = months.partition("..")
    return gettext(
        "%(place)s, %(months)s, %(measure)s: %(value)s",
        place=name_of(place),
        months=months_in_words(first, last or first),
        measure=measure_words(measure),
        value=separated(value),
    )


def months_in_words(first: str, last: str) -> str:
    """Run of months as figures name them, ``YYYY-MM``."""
    return months_between(date.fromisoformat(f"{first}-01"), date.fromisoformat(f"{last}-01"))


def material_words(material: str) -> str:
    """Mineral in words, before a colon where a part of its trade is named."""
    mineral, colon, part = material.partition(":")
    return f"{code_words(mineral)}{colon}{part}"


_NAMES: Final[Mapping[str, Callable[[str], str]]] = {
    "destination": name_of,
    "names": name_of,
    "few": name_of,
    "importer": name_of,
    "instrument": code_words,
    "material": material_words,
    "state": code_words,
    "model_status": model_words,
    "goods": translated,
}
"""Placeholders that hold a code, and what names it."""

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MONTH: Final = re.compile(r"\d{4}-\d\d", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?[\d.,]*\d%?", re.ASCII)


def rendered(text: Message | str) -> str:
    """Message in the language in use; a text that is none stays as it is."""
    if not isinstance(text, Message):
        return text
    return gettext(text.key, **{name: _word(name, value) for name, value in text.values.items()})


def as_clause(sentence: str) -> str:
    """Sentence without its full stop, as part of another."""
    return sentence.rstrip(".。")


def message_of(err: Exception) -> str:
    """Message of an error, in the language in use if it is translated."""
    text = err.args[0] if err.args else None
    return rendered(text) if isinstance(text, Message | str) else str(err)


def _word(name: str, value: Value) -> str:
    """Value in the language in use, by the name of its placeholder or else its form."""
    if isinstance(value, tuple):
        parts = [_word(name, part) for part in value]
        return " ".join(parts) if name == "sentences" else gettext("; ").join(parts)
    if isinstance(value, Message):
        return rendered(value) if name == "sentences" else as_clause(rendered(value))
    return _NAMES[name](str(value)) if name in _NAMES else _written(str(value))


def _written(text: str) -> str:
    """Day, month or number in the format of the language; other texts unchanged."""
    if _DAY.fullmatch(text):
        return dated(date.fromisoformat(text), "day")
    if _MONTH.fullmatch(text):
        return dated(date.fromisoformat(f"{text}-01"), "month")
    if _NUMBER.fullmatch(text):
        return percentage(text[:-1]) if text.endswith("%") else separated(text)
    return text
