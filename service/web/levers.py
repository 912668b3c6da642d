"""The form of a scenario: its fields checked in words, and the scenario they make as YAML."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

import pandas as pd
import yaml

from service.charts.tariff_markers import importer_of
from service.live.publication import Publication
from service.scenarios.scenario_schema import WorkedScenario
from service.wording.names import in_reading_order, name_of
from store.vocabulary import WORLD

TARIFF: Final = (
    "tariff_importer", "tariff_kind", "tariff_value", "tariff_announced", "tariff_from",
    "tariff_to",
)  # fmt: skip
LICENCE: Final = (
    "licence_kind", "licence_for", "licence_announced", "licence_from", "licence_kept",
)  # fmt: skip
SUSPENSION: Final = ("suspension_to", "suspension_against")
TEXTS: Final = (*TARIFF, *LICENCE, *SUSPENSION)
ACTS: Final = "suspension"
"""Field that may come several times: the acts whose suspension is changed."""

CHOICES: Final = ("tariff_importer", "tariff_kind", "licence_kind", "licence_for")
"""Fields that alone ask nothing: they have a usual value."""

LICENCE_KINDS: Final = {
    "export_control": "New licence duty",
    "export_ban": "Export ban",
    "export_licence_relaxation": "Relaxation of licences",
}
TARIFF_KINDS: Final = {"rate": "the whole rate, percent", "points": "points added, percent"}

HIGHEST_PCT: Final = 1000
LONGEST: Final = 60
"""Characters kept of a field."""

MOST_ACTS: Final = 20

LATELY: Final = pd.DateOffset(years=1)

_NUMBER: Final = re.compile(r"[+-]?\d{1,6}(\.\d{1,6})?", re.ASCII)
_DAY: Final = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Suspended:
    """A known act that is suspended, or lately was."""

    event_id: str
    title: str
    begins: str
    ends: str


@dataclass(frozen=True, slots=True)
class LeverChoices:
    """What a form may speak of at one publication."""

    day: str
    """Of the forecast, ``YYYY-MM-DD``: nothing may lie before it."""
    destinations: tuple[str, ...]
    importers: tuple[str, ...]
    suspended: tuple[Suspended, ...]


def field_of(publication: Publication) -> LeverChoices:
    """Return what a form may speak of."""
    destinations = publication.destinations
    importers = {importer_of(name) for name in destinations if name != WORLD}
    day = publication.as_of.tz_convert("UTC").tz_localize(None).normalize()
    return LeverChoices(
        day=f"{day:%Y-%m-%d}",
        destinations=tuple(destinations),
        importers=tuple(in_reading_order(importers)),
        suspended=_suspended(publication.stand.ledger.events, day),
    )


def _suspended(events: pd.DataFrame, day: pd.Timestamp) -> tuple[Suspended, ...]:
    """Return the acts known to be suspended beyond a day, weightiest first."""
    held = events.loc[events["suspended_to"].ge(day) & events["direction"].eq("restrictive")]
    rows = held.sort_values(["severity", "event_id"], ascending=[False, True]).to_dict("records")
    return tuple(
        Suspended(
            str(row["event_id"]),
            str(row["summary"]),
            f"{row['suspended_from']:%Y-%m-%d}",
            f"{row['suspended_to']:%Y-%m-%d}",
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True)
class LeverForm:
    """What somebody filled in, as it was typed."""

    texts: Mapping[str, str]
    acts: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is asked."""
        return not self.acts and not any(self.texts.get(n) for n in TEXTS if n not in CHOICES)

    def query(self, **more: str) -> str:
        """Return the form as the query of an address, without what is empty."""
        filled = [(name, self.texts[name]) for name in TEXTS if self.texts.get(name)]
        return urlencode([*more.items(), *filled, *((ACTS, act) for act in self.acts)])


def form_of(pairs: Sequence[tuple[str, str]]) -> LeverForm:
    """Return the form that a query holds; what is no field of it is left."""
    texts = {name: value.strip()[:LONGEST] for name, value in pairs if name in TEXTS}
    acts = dict.fromkeys(value[:LONGEST] for name, value in pairs if name == ACTS)
    return LeverForm({name: texts.get(name, "") for name in TEXTS}, tuple(acts)[:MOST_ACTS])


def form_like(worked: WorkedScenario) -> LeverForm:
    """Return a worked scenario as a form, as far as one can tell it."""
    top = yaml.safe_load(worked.text)
    told = dict.fromkeys(TEXTS, "")
    events = top.get("events") or []
    for step in (top.get("tariffs") or [])[:1]:
        told |= _tariff_fields(step)
    for act in [one for one in events if "instrument" in one][:1]:
        told |= _licence_fields(act)
    held = [one for one in events if "instrument" not in one and "suspended_to" in one]
    against = ((top.get("against") or {}).get("events") or [{}])[0]
    for name, act in (("suspension_to", held[0] if held else {}), ("suspension_against", against)):
        told[name] = _said(act.get("suspended_to"))
    return LeverForm(told, tuple(str(one["event_id"]) for one in held))


def _tariff_fields(step: Mapping[str, Any]) -> dict[str, str]:
    kind, value = ("rate", "rate_pct") if "rate_pct" in step else ("points", "add_points")
    return {
        "tariff_importer": _said(step.get("importer")),
        "tariff_kind": kind,
        "tariff_value": _said(step.get(value)),
        "tariff_announced": _said(step.get("announced_on")),
        "tariff_from": _said(step.get("effective_from")),
        "tariff_to": _said(step.get("effective_to")),
    }


def _licence_fields(act: Mapping[str, Any]) -> dict[str, str]:
    return {
        "licence_kind": _said(act.get("instrument")),
        "licence_for": _said((act.get("destinations") or [""])[0]),
        "licence_announced": _said(act.get("announced_on")),
        "licence_from": _said(act.get("effective_from")),
        "licence_kept": _said(act.get("kept_pct")),
    }


def _said(value: object) -> str:
    return "" if value is None else str(value)


@dataclass(slots=True)
class CheckedForm:
    """A form as a scenario, or what is wrong with it."""

    form: LeverForm
    ground: LeverChoices
    wrong: dict[str, str] = field(default_factory=dict)
    """What is wrong, in words, by field."""
    title: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    """The scenario as YAML, without its name."""

    @property
    def text(self) -> str:
        """Return the scenario as YAML; of use where nothing is wrong."""
        name = json.dumps("; ".join(self.title), ensure_ascii=False)
        return "\n".join([f"name: {name}", *self.lines, ""])


def check(form: LeverForm, ground: LeverChoices) -> CheckedForm:
    """Return a form as a scenario, with what is wrong beside each field."""
    found = CheckedForm(form, ground)
    tariff = _tariff(found) if _filled(form, TARIFF) else []
    events = _licence(found) if _filled(form, LICENCE) else []
    against: list[str] = []
    if form.acts or _filled(form, SUSPENSION):
        end, other = _suspension(found)
        events += _moved(form.acts, end)
        against = _moved(form.acts, other) if other else []
    found.lines += ["tariffs:", *tariff] if tariff else []
    found.lines += ["events:", *events] if events else []
    if against:
        found.lines += ["against:", "  events:", *(f"  {line}" for line in against)]
    return found


def _filled(form: LeverForm, names: Collection[str]) -> bool:
    return any(form.texts[name] for name in names if name not in CHOICES)


def _tariff(found: CheckedForm) -> list[str]:
    """Check the tariff; returns its entry."""
    importer = _choice(found, "tariff_importer", found.ground.importers)
    kind = _choice(found, "tariff_kind", TARIFF_KINDS)
    low = 0 if kind == "rate" else -HIGHEST_PCT
    value = _number(found, "tariff_value", low, HIGHEST_PCT, needed="a number, as 60")
    announced, begins = _announced_and_begins(found, "tariff")
    ends = _day(found, "tariff_to", not_before=begins)
    points = "" if kind == "rate" else "added "
    found.title.append(f"tariff in {name_of(importer)}: {points}{value} percent from {begins}")
    entry = {
        "importer": importer,
        "rate_pct" if kind == "rate" else "add_points": value,
        "announced_on": announced,
        "effective_from": begins,
        "effective_to": ends,
    }
    return _entry(entry)


def _licence(found: CheckedForm) -> list[str]:
    """Check the licence regime; returns its entry."""
    kind = _choice(found, "licence_kind", LICENCE_KINDS)
    place = _choice(found, "licence_for", found.ground.destinations)
    announced, begins = _announced_and_begins(found, "licence")
    kept = _number(found, "licence_kept", 0, 100)
    if kept and kind == "export_licence_relaxation":
        found.wrong["licence_kept"] = (
            "A relaxation lets all pass. Expected a share with a licence duty or a ban only. "
            "Leave it empty."
        )
    words = LICENCE_KINDS.get(kind, kind).lower()
    found.title.append(f"{words} for {name_of(place)} from {begins}")
    entry = {
        "event_id": f"{begins[:7]}-what-if-{kind.replace('_', '-')}",
        "instrument": kind,
        "destinations": f"[{place}]",
        "products": "magnets",
        "announced_on": announced,
        "effective_from": begins,
        "kept_pct": kept,
    }
    return _entry(entry)


def _suspension(found: CheckedForm) -> tuple[str, str]:
    """Check the end of a suspension; returns it and the one it is compared with."""
    known = {one.event_id: one for one in found.ground.suspended}
    acts = found.form.acts
    strange = [act for act in acts if act not in known]
    if strange:
        found.wrong[ACTS] = f"{strange[0]!r} is no act suspended. Choose among those shown."
    elif not acts:
        found.wrong[ACTS] = "No act is chosen. Choose whose suspension ends."
    begins = max((known[act].begins for act in acts if act in known), default="")
    end = _day(found, "suspension_to", not_before=begins, needed=True)
    other = _day(found, "suspension_against", not_before=begins)
    versus = f" and not {other}" if other else ""
    found.title.append(f"suspension of {', '.join(acts)} to {end}{versus}")
    return end, other


def _moved(acts: Sequence[str], day: str) -> list[str]:
    return [line for act in acts for line in _entry({"event_id": act, "suspended_to": day})]


def _entry(cells: Mapping[str, str]) -> list[str]:
    """Return one entry of a list as YAML."""
    lines = [f"{name}: {value}" for name, value in cells.items() if value]
    return [f"  {'- ' if place == 0 else '  '}{line}" for place, line in enumerate(lines)]


def _announced_and_begins(found: CheckedForm, what: str) -> tuple[str, str]:
    announced = _day(found, f"{what}_announced")
    begins = _day(found, f"{what}_from", not_before=announced, needed=True)
    return announced, begins


def _choice(found: CheckedForm, name: str, allowed: Collection[str]) -> str:
    value = found.form.texts[name]
    if value not in allowed:
        found.wrong[name] = f"{value!r} is not offered. Choose one of the list."
    return value


def _number(found: CheckedForm, name: str, low: int, high: int, *, needed: str = "") -> str:
    value = found.form.texts[name]
    if not value and not needed:
        return ""
    if not _NUMBER.fullmatch(value):
        found.wrong[name] = f"{value!r} is no number. Expected {low} to {high}, as 60 or 12.5."
    elif not low <= float(value) <= high:
        found.wrong[name] = f"{value} is out of range. Expected {low} to {high}."
    return value


def _day(found: CheckedForm, name: str, *, not_before: str = "", needed: bool = False) -> str:
    """Return a day as ISO text; a month means its first day."""
    value = found.form.texts[name]
    if not value:
        if needed:
            found.wrong[name] = "Not filled. Expected a day (YYYY-MM-DD) or a month (YYYY-MM)."
        return ""
    day = _iso(value)
    first = max(not_before, found.ground.day)
    if not day:
        found.wrong[name] = (
            f"{value!r} is no day. Expected YYYY-MM-DD, or YYYY-MM for the first of a month."
        )
    elif day < first:
        why = "the day of the forecast" if first == found.ground.day else "what comes first"
        found.wrong[name] = f"{day} lies before {first}, {why}. Expected that day or later."
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
