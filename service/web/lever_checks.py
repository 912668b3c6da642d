"""Checks of the scenario form: an error message for each wrong field, else the scenario as YAML."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from service.language.choice import DEFAULT, language
from service.language.phrases import Sentence, gettext, marked
from service.web.levers import (
    ACTS,
    CHANCE,
    CHOICES,
    LICENCE,
    LICENCE_KINDS,
    SUSPENSION,
    TARIFF,
    TARIFF_KINDS,
    LeverChoices,
    LeverForm,
)
from service.wording import name_of
from store.numbers import plain_number

HIGHEST_PCT: Final = 1000

_DAY: Final = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?", re.ASCII)


@dataclass(slots=True)
class CheckedForm:
    """A form as a scenario, or its errors."""

    form: LeverForm
    choices: LeverChoices
    errors: dict[str, str] = field(default_factory=dict)
    """Messages by field."""
    title: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """The scenario as YAML, without its name."""

    @property
    def text(self) -> str:
        """Return the scenario as YAML; only valid without errors."""
        return "\n".join([f"name: {json.dumps(self.name, ensure_ascii=False)}", *self.lines, ""])

    @property
    def name(self) -> str:
        """Return the name of the scenario in the language in use."""
        title = gettext("; ").join(self.title)
        return Sentence(title[:1].upper() + title[1:])


def check(form: LeverForm, choices: LeverChoices) -> CheckedForm:
    """Return a form as a scenario, with the errors of its fields."""
    checked = CheckedForm(form, choices)
    tariff = _tariff(checked) if _filled(form, TARIFF) else []
    events = _licence(checked) if _filled(form, LICENCE) else []
    against: list[str] = []
    if form.acts or _filled(form, SUSPENSION):
        end, other = _suspension(checked)
        chance = _number(checked, "suspension_probability", 0, 1)
        events += _moved(form.acts, end, chance)
        against = _moved(form.acts, other) if other else []
    events += _announced(checked)
    checked.lines += ["tariffs:", *tariff] if tariff else []
    checked.lines += ["events:", *events] if events else []
    if against:
        checked.lines += ["against:", "  events:", *(f"  {line}" for line in against)]
    return checked


def _filled(form: LeverForm, names: Collection[str]) -> bool:
    return any(form.texts[name] for name in names if name not in CHOICES)


def _tariff(checked: CheckedForm) -> list[str]:
    """Check the tariff and return its entry."""
    importer = _choice(checked, "tariff_importer", checked.choices.importers)
    kind = _choice(checked, "tariff_kind", TARIFF_KINDS)
    low = 0 if kind == "rate" else -HIGHEST_PCT
    value = _number(checked, "tariff_value", low, HIGHEST_PCT, needed=True)
    announced, begins = _announced_and_begins(checked, "tariff")
    ends = _day(checked, "tariff_to", not_before=begins)
    words = {"place": name_of(importer), "rate": value, "day": begins}
    checked.title.append(
        gettext("tariff in %(place)s: %(rate)s%% from %(day)s", **words)
        if kind == "rate"
        else gettext("tariff in %(place)s: added %(rate)s%% from %(day)s", **words)
    )
    entry = {
        "importer": importer,
        "rate_pct" if kind == "rate" else "add_points": value,
        "announced_on": announced,
        "effective_from": begins,
        "effective_to": ends,
    }
    return _entry(entry)


def _licence(checked: CheckedForm) -> list[str]:
    """Check the licensing measure and return its entry."""
    kind = _choice(checked, "licence_kind", LICENCE_KINDS)
    place = _choice(checked, "licence_for", checked.choices.destinations)
    announced, begins = _announced_and_begins(checked, "licence")
    kept = _number(checked, "licence_kept", 0, 100)
    if kept and kind == "export_licence_relaxation":
        checked.errors["licence_kept"] = gettext(
            "A relaxation blocks nothing. Leave this empty, or choose a licensing requirement or "
            "a ban."
        )
    checked.title.append(
        gettext(
            "%(measure)s for %(place)s from %(day)s",
            measure=_measure(kind),
            place=name_of(place),
            day=begins,
        )
    )
    entry = {
        "event_id": f"{begins[:7]}-what-if-{kind.replace('_', '-')}",
        "instrument": kind,
        "destinations": f"[{place}]",
        "products": "magnets",
        "announced_on": announced,
        "effective_from": begins,
        "kept_pct": kept,
        "probability": _number(checked, "licence_probability", 0, 1),
    }
    return _entry(entry)


def _suspension(checked: CheckedForm) -> tuple[str, str]:
    """Check the end of a suspension and return it, and the end it is compared with."""
    known = {one.event_id: one for one in checked.choices.suspended}
    acts = checked.form.acts
    unknown = [act for act in acts if act not in known]
    if unknown:
        checked.errors[ACTS] = gettext(
            "%(act)s is not a suspended measure. Choose one of those shown.", act=repr(unknown[0])
        )
    elif not acts:
        checked.errors[ACTS] = gettext(
            "No measure selected. Choose the measures whose suspension ends."
        )
    begins = max((known[act].begins for act in acts if act in known), default="")
    chance = checked.form.texts["suspension_probability"]
    end = _day(checked, "suspension_to", not_before=begins, needed=not chance)
    other = _day(checked, "suspension_against", not_before=begins)
    sentence = _SUSPENSIONS[bool(end), bool(end and other), bool(chance)]
    words = {"acts": ", ".join(acts), "day": end, "other": other, "chance": chance}
    checked.title.append(gettext(sentence, **words))
    return end, other


_SUSPENSIONS: Final = {
    (False, False, False): marked("suspension of %(acts)s"),
    (False, False, True): marked("suspension of %(acts)s, %(chance)s probable"),
    (True, False, False): marked("suspension of %(acts)s to %(day)s"),
    (True, False, True): marked("suspension of %(acts)s to %(day)s, %(chance)s probable"),
    (True, True, False): marked("suspension of %(acts)s to %(day)s and not %(other)s"),
    (True, True, True): marked(
        "suspension of %(acts)s to %(day)s and not %(other)s, %(chance)s probable"
    ),
}
"""The title by what is given: the new end, the end it is compared with, the probability."""


def _announced(checked: CheckedForm) -> list[str]:
    """Check the probabilities of announced acts and return their entries."""
    known = {one.event_id: one for one in checked.choices.announced}
    lines = []
    for act, typed in checked.form.chances:
        name = f"{CHANCE}{act}"
        chance = _in_range(checked, name, typed, 0, 1)
        if act not in known:
            checked.errors[name] = gettext(
                "%(act)s is not an announced act. Choose one of those shown.", act=repr(act)
            )
        elif act in checked.form.acts:
            checked.errors[name] = gettext(
                "The end of this suspension is changed as well. Set the probability there, or "
                "leave the suspension as it is."
            )
        else:
            last = known[act].last
            lines += _entry({"event_id": act, "suspended_to": last, "probability": chance})
        checked.title.append(gettext("%(act)s %(chance)s probable", act=act, chance=chance))
    return lines


def _moved(acts: Sequence[str], day: str, chance: str = "") -> list[str]:
    cells = {"suspended_to": day, "probability": chance}
    return [line for act in acts for line in _entry({"event_id": act, **cells})]


def _measure(kind: str) -> str:
    """Return a licensing measure as it is within a title; an unknown one as typed."""
    words = gettext(LICENCE_KINDS[kind]) if kind in LICENCE_KINDS else kind
    return words.lower() if language() == DEFAULT else words


def _entry(cells: Mapping[str, str]) -> list[str]:
    """Return one entry of a YAML list."""
    lines = [f"{name}: {value}" for name, value in cells.items() if value]
    return [f"  {'- ' if place == 0 else '  '}{line}" for place, line in enumerate(lines)]


def _announced_and_begins(checked: CheckedForm, what: str) -> tuple[str, str]:
    announced = _day(checked, f"{what}_announced")
    begins = _day(checked, f"{what}_from", not_before=announced, needed=True)
    return announced, begins


def _choice(checked: CheckedForm, name: str, allowed: Collection[str]) -> str:
    value = checked.form.texts[name]
    if value not in allowed:
        checked.errors[name] = gettext(
            "%(value)s is not in the list. Choose one of the list.", value=repr(value)
        )
    return value


def _number(checked: CheckedForm, name: str, low: int, high: int, *, needed: bool = False) -> str:
    value = checked.form.texts[name]
    if value:
        return _in_range(checked, name, value, low, high)
    if needed:
        checked.errors[name] = gettext(
            "Missing. Enter a number from %(low)s to %(high)s.", low=low, high=high
        )
    return ""


def _in_range(checked: CheckedForm, name: str, value: str, low: int, high: int) -> str:
    """Return a number as plain digits; as typed where it is none, with its error.

    A scenario is shared by its address: a number in it is read alike in all languages.
    """
    words = {"value": value, "low": low, "high": high}
    try:
        digits = plain_number(value)
    except ValueError as err:
        checked.errors[name] = f'"{value}" is not {err}. Expected {low} to {high}.'
        if language() != DEFAULT:
            checked.errors[name] = gettext(
                "“%(value)s” is not a number that can be read safely. Expected %(low)s to "
                "%(high)s.",
                **words,
            )
        return value
    if not low <= float(digits) <= high:
        checked.errors[name] = gettext(
            "%(value)s is out of range. Expected %(low)s to %(high)s.", **words
        )
    return digits


def _day(checked: CheckedForm, name: str, *, not_before: str = "", needed: bool = False) -> str:
    """Return a day as ISO text; a month means its first day."""
    value = checked.form.texts[name]
    if not value:
        if needed:
            checked.errors[name] = gettext(
                "Missing. Enter a date (YYYY-MM-DD) or a month (YYYY-MM)."
            )
        return ""
    day = _iso(value)
    first = max(not_before, checked.choices.day)
    if not day:
        checked.errors[name] = gettext(
            "%(value)s is not a date. Write YYYY-MM-DD, or YYYY-MM for the first day of a month.",
            value=repr(value),
        )
    elif day < first:
        sentence = _BEFORE_FORECAST if first == checked.choices.day else _BEFORE_OTHER
        checked.errors[name] = gettext(sentence, day=day, first=first)
    return day


_BEFORE_FORECAST: Final = marked(
    "%(day)s is before %(first)s, the date of the forecast. Enter that date or a later one."
)
_BEFORE_OTHER: Final = marked(
    "%(day)s is before %(first)s, the date it follows. Enter that date or a later one."
)


def _iso(text: str) -> str:
    """Return a day or the first day of a month as ISO text, empty where it is none."""
    parts = _DAY.fullmatch(text)
    if parts is None:
        return ""
    try:
        return date(int(parts[1]), int(parts[2]), int(parts[3] or 1)).isoformat()
    except ValueError:
        return ""
