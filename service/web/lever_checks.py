"""Checks of the scenario form: an error message for each wrong field, else the scenario as YAML."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

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
        title = "; ".join(self.title)
        name = json.dumps(title[:1].upper() + title[1:], ensure_ascii=False)
        return "\n".join([f"name: {name}", *self.lines, ""])


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
    points = "" if kind == "rate" else "added "
    checked.title.append(f"tariff in {name_of(importer)}: {points}{value}% from {begins}")
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
        checked.errors["licence_kept"] = (
            "A relaxation blocks nothing. Leave this empty, or choose a licensing requirement or "
            "a ban."
        )
    words = LICENCE_KINDS.get(kind, kind).lower()
    checked.title.append(f"{words} for {name_of(place)} from {begins}")
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
        checked.errors[ACTS] = (
            f"{unknown[0]!r} is not a suspended measure. Choose one of those shown."
        )
    elif not acts:
        checked.errors[ACTS] = "No measure selected. Choose the measures whose suspension ends."
    begins = max((known[act].begins for act in acts if act in known), default="")
    chance = checked.form.texts["suspension_probability"]
    end = _day(checked, "suspension_to", not_before=begins, needed=not chance)
    other = _day(checked, "suspension_against", not_before=begins)
    versus = f" and not {other}" if other else ""
    when = f" to {end}{versus}" if end else ""
    how = f", {chance} probable" if chance else ""
    checked.title.append(f"suspension of {', '.join(acts)}{when}{how}")
    return end, other


def _announced(checked: CheckedForm) -> list[str]:
    """Check the probabilities of announced acts and return their entries."""
    known = {one.event_id: one for one in checked.choices.announced}
    lines = []
    for act, typed in checked.form.chances:
        name = f"{CHANCE}{act}"
        chance = _in_range(checked, name, typed, 0, 1)
        if act not in known:
            checked.errors[name] = f"{act!r} is not an announced act. Choose one of those shown."
        elif act in checked.form.acts:
            checked.errors[name] = (
                "The end of this suspension is changed as well. Set the probability there, or "
                "leave the suspension as it is."
            )
        else:
            last = known[act].last
            lines += _entry({"event_id": act, "suspended_to": last, "probability": chance})
        checked.title.append(f"{act} {chance} probable")
    return lines


def _moved(acts: Sequence[str], day: str, chance: str = "") -> list[str]:
    cells = {"suspended_to": day, "probability": chance}
    return [line for act in acts for line in _entry({"event_id": act, **cells})]


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
        checked.errors[name] = f"{value!r} is not in the list. Choose one of the list."
    return value


def _number(checked: CheckedForm, name: str, low: int, high: int, *, needed: bool = False) -> str:
    value = checked.form.texts[name]
    if value:
        return _in_range(checked, name, value, low, high)
    if needed:
        checked.errors[name] = f"Missing. Enter a number from {low} to {high}."
    return ""


def _in_range(checked: CheckedForm, name: str, value: str, low: int, high: int) -> str:
    """Return a number as plain digits; as typed where it is none, with its error."""
    try:
        digits = plain_number(value)
    except ValueError as err:
        checked.errors[name] = f'"{value}" is not {err}. Expected {low} to {high}.'
        return value
    if not low <= float(digits) <= high:
        checked.errors[name] = f"{value} is out of range. Expected {low} to {high}."
    return digits


def _day(checked: CheckedForm, name: str, *, not_before: str = "", needed: bool = False) -> str:
    """Return a day as ISO text; a month means its first day."""
    value = checked.form.texts[name]
    if not value:
        if needed:
            checked.errors[name] = "Missing. Enter a date (YYYY-MM-DD) or a month (YYYY-MM)."
        return ""
    day = _iso(value)
    first = max(not_before, checked.choices.day)
    if not day:
        checked.errors[name] = (
            f"{value!r} is not a date. Write YYYY-MM-DD, or YYYY-MM for the first day of a month."
        )
    elif day < first:
        why = "the date of the forecast" if first == checked.choices.day else "the date it follows"
        checked.errors[name] = f"{day} is before {first}, {why}. Enter that date or a later one."
    return day


def _iso(text: str) -> str:
    """Return a day or the first day of a month as ISO text, empty where it is none."""
    parts = _DAY.fullmatch(text)
    if parts is None:
        return ""
    try:
        return date(int(parts[1]), int(parts[2]), int(parts[3] or 1)).isoformat()
    except ValueError:
        return ""
