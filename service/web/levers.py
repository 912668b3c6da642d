"""The form of a scenario: its fields, what they may be set to, and example scenarios as a form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import pandas as pd
import yaml

from service.charts.markers import importer_of
from service.language.phrases import marked
from service.live.publication import Publication
from service.scenarios.scenario_schema import WorkedScenario
from service.wording import in_reading_order
from store.publications.explanations import StoredExplanation
from store.vocabulary import WORLD

TARIFF: Final = (
    "tariff_importer", "tariff_kind", "tariff_value", "tariff_announced", "tariff_from",
    "tariff_to",
)  # fmt: skip
LICENCE: Final = (
    "licence_kind", "licence_for", "licence_announced", "licence_from", "licence_kept",
    "licence_probability",
)  # fmt: skip
SUSPENSION: Final = ("suspension_to", "suspension_against", "suspension_probability")
TEXTS: Final = (*TARIFF, *LICENCE, *SUSPENSION)
ACTS: Final = "suspension"
"""Field that may be repeated: the measures whose suspension is changed."""

CHANCE: Final = "chance."
"""Begins the fields of announced acts, each named by its event: the probability that it comes."""

BESIDE: Final = "beside"
"""Field that may be repeated: the query of a result that is kept for comparison."""

MOST_BESIDE: Final = 3
LONGEST_QUERY: Final = 2000

CHOICES: Final = ("tariff_importer", "tariff_kind", "licence_kind", "licence_for")
"""Fields with a preset value, which alone make no scenario."""

LICENCE_KINDS: Final = {
    "export_control": marked("New licensing requirement"),
    "export_ban": marked("Export ban"),
    "export_licence_relaxation": marked("Relaxation of licensing"),
}
TARIFF_KINDS: Final = {
    "rate": marked("total rate, percent"),
    "points": marked("percentage points added"),
}

LONGEST: Final = 60
"""Characters read of a field."""

MOST_ACTS: Final = 20


@dataclass(frozen=True, slots=True)
class Suspended:
    """A known measure that is suspended."""

    event_id: str
    title: str
    begins: str
    ends: str


@dataclass(frozen=True, slots=True)
class AnnouncedAct:
    """A control announced for a day within the horizon."""

    event_id: str
    title: str
    due: str
    last: str
    """Last day of its suspension; empty for a control that begins."""
    expected: float
    """Probability, as estimated, that it comes as announced."""


@dataclass(frozen=True, slots=True)
class LeverChoices:
    """What the fields may be set to at one publication."""

    day: str
    """Date of the forecast, ``YYYY-MM-DD``; no date may be earlier."""
    destinations: tuple[str, ...]
    importers: tuple[str, ...]
    suspended: tuple[Suspended, ...]
    announced: tuple[AnnouncedAct, ...] = ()
    months: tuple[str, ...] = ()
    """First days from which a measure may start, ``YYYY-MM-DD``, one a month of the forecast."""


def choices_of(publication: Publication) -> LeverChoices:
    """Return what the fields may be set to."""
    destinations = publication.destinations
    importers = {importer_of(name) for name in destinations if name != WORLD}
    day = publication.as_of.tz_convert("UTC").tz_localize(None).normalize()
    return LeverChoices(
        day=f"{day:%Y-%m-%d}",
        destinations=tuple(destinations),
        importers=tuple(in_reading_order(importers)),
        suspended=_suspended(publication, day),
        announced=_announced(publication),
        months=_first_days(publication, day),
    )


def _first_days(publication: Publication, day: pd.Timestamp) -> tuple[str, ...]:
    """Return the first day of each month of the forecast that is still to come."""
    periods = pd.to_datetime(publication.latest["period"]).drop_duplicates().sort_values()
    return tuple(f"{period:%Y-%m-%d}" for period in periods if period > day)


def _announced(publication: Publication) -> tuple[AnnouncedAct, ...]:
    """Return the controls announced for a day within the horizon, soonest first."""
    explained = publication.published.explanation or StoredExplanation()
    titles = publication.snapshot.ledger.events.set_index("event_id")["summary"].to_dict()
    return tuple(
        AnnouncedAct(
            one.event_id,
            str(titles.get(one.event_id, one.event_id)).rstrip("."),
            one.due,
            one.last if one.is_return else "",
            one.chances[0],
        )
        for one in sorted(explained.announced, key=lambda one: (one.due, one.event_id))
        if one.event_id
    )


def _suspended(publication: Publication, day: pd.Timestamp) -> tuple[Suspended, ...]:
    """Return the measures known to be suspended beyond a day, most severe first.

    A truce may hold off a measure beyond the end of its own suspension.
    """
    explained = publication.published.explanation
    back = (
        {one.event_id: one.last for one in explained.announced if one.is_return}
        if explained
        else {}
    )
    events = publication.snapshot.ledger.events
    beyond = events["suspended_to"].ge(day) | events["event_id"].isin(list(back))
    suspended = events.loc[beyond & events["direction"].eq("restrictive")]
    rows = suspended.sort_values(["severity", "event_id"], ascending=[False, True])
    return tuple(
        Suspended(
            str(row["event_id"]),
            str(row["summary"]),
            f"{row['suspended_from']:%Y-%m-%d}",
            back.get(row["event_id"], f"{row['suspended_to']:%Y-%m-%d}"),
        )
        for row in rows.to_dict("records")
    )


@dataclass(frozen=True, slots=True)
class LeverForm:
    """The fields of the form as typed."""

    texts: Mapping[str, str]
    acts: tuple[str, ...] = ()
    chances: tuple[tuple[str, str], ...] = ()
    """Announced acts and the probability typed for each."""

    @property
    def is_empty(self) -> bool:
        """Tell whether no scenario is asked for."""
        typed = any(self.texts.get(name) for name in TEXTS if name not in CHOICES)
        return not (self.acts or self.chances or typed)

    def query(self, **more: str) -> str:
        """Return the form as the query of an address, without empty fields."""
        filled = [(name, self.texts[name]) for name in TEXTS if self.texts.get(name)]
        acts = [(ACTS, act) for act in self.acts]
        chances = [(f"{CHANCE}{act}", chance) for act, chance in self.chances]
        return urlencode([*more.items(), *filled, *acts, *chances])


def form_of(pairs: Sequence[tuple[str, str]]) -> LeverForm:
    """Return the form in a query; other parameters are ignored."""
    cut = [(name, value.strip()[:LONGEST]) for name, value in pairs]
    texts = {name: value for name, value in cut if name in TEXTS}
    acts = dict.fromkeys(value for name, value in cut if name == ACTS)
    chances = {n.removeprefix(CHANCE)[:LONGEST]: v for n, v in cut if n.startswith(CHANCE) and v}
    return LeverForm(
        {name: texts.get(name, "") for name in TEXTS},
        tuple(acts)[:MOST_ACTS],
        tuple(chances.items())[:MOST_ACTS],
    )


def form_like(worked: WorkedScenario) -> LeverForm:
    """Return an example scenario as a form, as far as a form can express it."""
    top = yaml.safe_load(worked.text)
    texts = dict.fromkeys(TEXTS, "")
    events = top.get("events") or []
    for step in (top.get("tariffs") or [])[:1]:
        texts |= _tariff_fields(step)
    for act in [one for one in events if "instrument" in one][:1]:
        texts |= _licence_fields(act)
    changed = [one for one in events if "instrument" not in one]
    against = ((top.get("against") or {}).get("events") or [{}])[0]
    for name, act in (
        ("suspension_to", changed[0] if changed else {}),
        ("suspension_against", against),
    ):
        texts[name] = _text(act.get("suspended_to"))
    texts["suspension_probability"] = _text(changed[0].get("probability")) if changed else ""
    return LeverForm(texts, tuple(str(one["event_id"]) for one in changed))


def _tariff_fields(step: Mapping[str, Any]) -> dict[str, str]:
    kind, value = ("rate", "rate_pct") if "rate_pct" in step else ("points", "add_points")
    return {
        "tariff_importer": _text(step.get("importer")),
        "tariff_kind": kind,
        "tariff_value": _text(step.get(value)),
        "tariff_announced": _text(step.get("announced_on")),
        "tariff_from": _text(step.get("effective_from")),
        "tariff_to": _text(step.get("effective_to")),
    }


def _licence_fields(act: Mapping[str, Any]) -> dict[str, str]:
    return {
        "licence_kind": _text(act.get("instrument")),
        "licence_for": _text((act.get("destinations") or [""])[0]),
        "licence_announced": _text(act.get("announced_on")),
        "licence_from": _text(act.get("effective_from")),
        "licence_kept": _text(act.get("kept_pct")),
        "licence_probability": _text(act.get("probability")),
    }


def _text(value: object) -> str:
    return "" if value is None else str(value)
