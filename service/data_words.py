"""What data name by a code, in words: measures, kinds of months, instruments, directions."""

from typing import Final

from service.language.phrases import gettext, marked
from service.wording import name_of

INSTRUMENTS: Final = {
    "tariff_increase": marked("tariff increase"),
    "tariff_decrease": marked("tariff decrease"),
    "export_control": marked("export control"),
    "export_ban": marked("export ban"),
    "export_licence_relaxation": marked("export licence relaxation"),
    "entity_list": marked("entity list"),
    "quota": marked("quota"),
    "truce": marked("truce"),
    "trade_talks": marked("trade talks"),
    "investigation": marked("investigation"),
    "legal_ruling": marked("legal ruling"),
    "supply_deal": marked("supply deal"),
    "subsidy": marked("subsidy"),
    "stockpile": marked("stockpile"),
    "other": marked("other"),
}

DIRECTIONS: Final = {
    "restrictive": marked("restrictive"),
    "easing": marked("easing"),
    "neutral": marked("neutral"),
}


def instrument_words(instrument: str) -> str:
    """Return an instrument in words; one without is shown by its name."""
    known = INSTRUMENTS.get(instrument)
    return gettext(known) if known else instrument.replace("_", " ")


def direction_words(direction: str) -> str:
    """Return a direction in words."""
    return gettext(DIRECTIONS[direction]) if direction in DIRECTIONS else direction


KINDS: Final = {
    "observed": marked("observed"),
    "derived": marked("derived"),
    "estimated": marked("estimated"),
}


def kind_words(kind: str) -> str:
    """Return how a past month is known."""
    return gettext(KINDS[kind])


FIGURES: Final = {"reported": marked("reported"), "derived": marked("derived")}


def figure_words(kind: str) -> str:
    """Return how a figure is known."""
    return gettext(FIGURES[kind]) if kind in FIGURES else kind


STATES: Final = (
    marked("magnetcast is fine."), marked("magnetcast is stale or degraded."),
    marked("magnetcast is broken."), marked("finished"), marked("failed"), marked("running"),
)  # fmt: skip
"""Of the system, as its status words them, and of a run."""


def state_words(state: str) -> str:
    """Return the state of the system or of a run; one without words is shown as it is."""
    return gettext(state) if state in STATES else state


MEASURES: Final = {
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
    """Return a measure in words, with its unit; one without is shown by its name."""
    return gettext(MEASURES[measure]) if measure in MEASURES else measure.replace("_", " ")


def statement_words(statement: str) -> str:
    """Return a figure named by place, months, measure and value as a reader would write it."""
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
        value=value,
    )


def months_in_words(first: str, last: str) -> str:
    """Return a run of months as figures name them, ``YYYY-MM``."""
    return first if first == last else gettext("%(first)s to %(last)s", first=first, last=last)


MATERIALS: Final = (
    marked("antimony"), marked("artificial graphite"), marked("bismuth"), marked("dysprosium"),
    marked("gadolinium"), marked("gallium"), marked("germanium"), marked("holmium"),
    marked("indium"), marked("lithium battery materials"), marked("lutetium"), marked("magnets"),
    marked("molybdenum"), marked("natural graphite"), marked("rare earths (all)"),
    marked("samarium"), marked("scandium"), marked("silver"), marked("superhard materials"),
    marked("tellurium"), marked("terbium"), marked("tungsten"), marked("yttrium"),
)  # fmt: skip
"""Minerals whose past controls a forecast learns from."""


def material_words(material: str) -> str:
    """Return a mineral in words, before a colon where a part of its trade is named."""
    whole, colon, part = material.partition(":")
    return f"{gettext(whole)}{colon}{part}" if whole in MATERIALS else material
