"""The what-if form: its fields, what they may be set to, and the scenario or errors they make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as of_class
from typing import Any, Final
from urllib.parse import urlencode

import pandas as pd
import yaml

from service.charts.markers import importer_of
from service.language.acts import act_words
from service.language.choice import DEFAULT, language
from service.language.formats import listed, percentage
from service.language.phrases import Sentence, gettext, marked
from service.live.publication import Publication
from service.messages import rendered
from service.scenarios import WorkedScenario
from service.wording import in_reading_order, name_of
from store.numbers import plain_number
from store.publications.explanations import StoredExplanation
from store.schema.scenario import (
    DEFAULT_PRODUCTS,
    STRICTNESS,
    Place,
    ScenarioContext,
    ScenarioText,
    checked_scenario,
)
from store.vocabulary import NOT_A_TARIFF, OTHER_SUFFIXES, WORLD

ACTS: Final = "suspension"
"""Field that may be repeated: the measures whose suspension is changed."""

CHANCE: Final = "chance."
"""Begins the fields of announced acts, each named by its event: the probability that it comes."""

BESIDE: Final = "beside"
"""Field that may be repeated: the query of a result that is kept for comparison."""

MOST_BESIDE: Final = 3
LONGEST_QUERY: Final = 2000

CHOICES: Final = ("tariff_importer", "licence_kind", "licence_for")
"""Fields with a preset value, which alone make no scenario."""

LICENCE_KINDS: Final = {
    "export_ban": marked("Export ban"),
    "hardest": marked("Licensing at its hardest, month by month the lowest on record"),
    "minerals": marked("Licensing as on gallium, germanium, graphite and others since 2023"),
    "april_2025": marked("Licensing as on magnets in April 2025"),
    "export_control": marked("Licensing beside the present one, estimated"),
    "export_licence_relaxation": marked("Relaxation of licensing"),
}

_LONGEST: Final = 60
"""Characters read of a field."""

MOST_ACTS: Final = 20

_TARIFF: Final = {
    "tariff_importer": "importer", "tariff_rate": "rate_pct", "tariff_points": "add_points",
    "tariff_announced": "announced_on", "tariff_from": "effective_from",
    "tariff_to": "effective_to",
}  # fmt: skip
_LICENCE: Final = {
    "licence_kind": "instrument", "licence_for": "destinations",
    "licence_announced": "announced_on", "licence_from": "effective_from",
    "licence_kept": "kept_pct", "licence_diverted": "diverted_pct",
    "licence_probability": "probability",
}  # fmt: skip
SUSPENSION: Final = {"suspension_to": "suspended_to", "suspension_probability": "probability"}
"""Fields of the form, and what a scenario calls them."""

TEXTS: Final = (*_TARIFF, *_LICENCE, *SUSPENSION)

_NUMBERS: Final = frozenset({"rate_pct", "add_points", "kept_pct", "diverted_pct", "probability"})


@dataclass(frozen=True, slots=True)
class Suspended:
    """A known measure that is suspended."""

    event_id: str
    title: str
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
class Rate:
    """What one law charges on magnets from China."""

    law: str
    percent: float
    since: pd.Timestamp


@dataclass(frozen=True, slots=True)
class LeverChoices:
    """What the fields may be set to at one publication."""

    context: ScenarioContext
    """What a scenario may refer to."""
    destinations: tuple[str, ...]
    importers: tuple[str, ...]
    suspended: tuple[Suspended, ...]
    announced: tuple[AnnouncedAct, ...] = ()
    months: tuple[str, ...] = ()
    """First days from which a measure may start, ``YYYY-MM-DD``, one a month of the forecast."""
    rates: Mapping[str, tuple[Rate, ...]] = of_class(default_factory=dict)
    """Rates in force on that day by importer, of those with a known one."""

    @property
    def day(self) -> str:
        return f"{self.context.day:%Y-%m-%d}"

    def rate_of(self, importer: str) -> float | None:
        """Return the whole rate in force of an importer, None where none is known."""
        laws = self.rates.get(importer, ())
        return round(sum(law.percent for law in laws), 6) if laws else None


def choices_of(publication: Publication) -> LeverChoices:
    """Return what the fields may be set to."""
    destinations = publication.destinations
    importers = {importer_of(name) for name in destinations if name != WORLD}
    context = ScenarioContext(
        publication.as_of,
        publication.snapshot.ledger.events,
        tuple(destinations),
        tuple(importers),
        felt_before=pd.Timestamp(publication.snapshot.cutoff) + pd.DateOffset(months=1),
    )
    day = context.day
    periods = pd.to_datetime(publication.latest["period"]).drop_duplicates().sort_values()
    return LeverChoices(
        context=context,
        destinations=tuple(destinations),
        importers=tuple(in_reading_order(importers)),
        suspended=_suspended(publication, day),
        announced=_announced(publication),
        months=tuple(f"{period:%Y-%m-%d}" for period in periods if period > day),
        rates={name: found for name in importers if (found := _rates(publication, name, day))},
    )


def _rates(publication: Publication, importer: str, day: pd.Timestamp) -> tuple[Rate, ...]:
    """Return the rates that make up an importer's whole one on a day; none if one is unknown."""
    steps = publication.snapshot.ledger.tariffs.sort_values(["effective_from", "rate_pct"])
    others = steps["product_scope"].str.contains(OTHER_SUFFIXES, regex=False)
    own = steps["importer"].eq(importer) & steps["effective_from"].le(day) & ~others
    own &= ~steps["component"].isin(NOT_A_TARIFF) & steps["rate_pct"].notna()
    newest = steps.loc[own].drop_duplicates("component", keep="last")
    newest = newest.loc[newest["effective_to"].isna() | newest["effective_to"].ge(day)]
    return tuple(
        Rate(row["component"].replace("_", " "), row["rate_pct"], row["effective_from"])
        for row in newest.sort_values("effective_from").to_dict("records")
    )


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
    explained = publication.published.explanation or StoredExplanation()
    back = {one.event_id: one.last for one in explained.announced if one.is_return}
    events = publication.snapshot.ledger.events
    beyond = events["suspended_to"].ge(day) | events["event_id"].isin(list(back))
    suspended = events.loc[beyond & events["direction"].eq("restrictive")]
    rows = suspended.sort_values(["severity", "event_id"], ascending=[False, True])
    return tuple(
        Suspended(
            str(row["event_id"]),
            str(row["summary"]),
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
        return not (self.acts or self.chances or self.has(TEXTS))

    def has(self, names: Iterable[str]) -> bool:
        """Tell whether one of some fields is filled that has no preset value."""
        return any(self.texts.get(name) for name in names if name not in CHOICES)

    def query(self, **more: str) -> str:
        """Return the form as the query of an address, without empty fields."""
        filled = [(name, self.texts[name]) for name in TEXTS if self.texts.get(name)]
        acts = [(ACTS, act) for act in self.acts]
        chances = [(f"{CHANCE}{act}", chance) for act, chance in self.chances]
        return urlencode([*more.items(), *filled, *acts, *chances])


def form_of(pairs: Sequence[tuple[str, str]]) -> LeverForm:
    """Return the form in a query; other parameters are ignored."""
    cut = [(name, value.strip()[:_LONGEST]) for name, value in pairs]
    texts = dict.fromkeys(TEXTS, "") | {name: value for name, value in cut if name in TEXTS}
    acts = dict.fromkeys(value for name, value in cut if name == ACTS)
    chances = {n.removeprefix(CHANCE)[:_LONGEST]: v for n, v in cut if n.startswith(CHANCE) and v}
    return LeverForm(texts, tuple(acts)[:MOST_ACTS], tuple(chances.items())[:MOST_ACTS])


def form_like(worked: WorkedScenario) -> LeverForm:
    """Return an example scenario as a form, as far as a form can express it."""
    top = yaml.safe_load(worked.text)
    texts = dict.fromkeys(TEXTS, "")
    events = top.get("events") or []
    for step in (top.get("tariffs") or [])[:1]:
        texts |= _texts_of(step, _TARIFF)
    for act in [one for one in events if "instrument" in one][:1]:
        kind = act.get("strictness", act["instrument"])
        shown = {**act, "instrument": kind, "destinations": act["destinations"][0]}
        texts |= _texts_of(shown, _LICENCE)
    changed = [one for one in events if "instrument" not in one]
    for act in changed[:1]:
        texts |= _texts_of(act, SUSPENSION)
    return LeverForm(texts, tuple(str(one["event_id"]) for one in changed))


def _texts_of(entry: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, str]:
    return {field: str(entry.get(name, "")) for field, name in fields.items()}


def check(form: LeverForm, choices: LeverChoices) -> "CheckedForm":
    """Return a form as a scenario, with the errors of its fields."""
    found = CheckedForm(form, choices)
    found.build()
    _, faults = checked_scenario({**found.top, "name": "scenario"}, choices.context)
    for fault in faults:
        found.errors.setdefault(found.field_at(fault.place), rendered(fault.text))
    return found


class CheckedForm:
    """A form as a scenario, of which each part knows its field, or its errors."""

    def __init__(self, form: LeverForm, choices: LeverChoices) -> None:
        self.form = form
        self.choices = choices
        self.top: dict[str, Any] = {}
        """The scenario without its name, as texts."""
        self.errors: dict[str, str] = {}
        """Messages by field."""
        self._fields: list[tuple[str, int, dict[str, str], str]] = []

    @property
    def title(self) -> str:
        title = gettext("; ").join(self._titles())
        return Sentence(title[:1].upper() + title[1:])

    @property
    def text(self) -> str:
        asked = ScenarioText.model_validate({"name": self.title, **self.top})
        plain = asked.model_dump(exclude_unset=True)
        return yaml.safe_dump(
            _whole(plain), sort_keys=False, allow_unicode=True, default_flow_style=None
        )

    def build(self) -> None:
        """Take over what is filled in."""
        form = self.form
        if form.has(_TARIFF):
            self._add("tariffs", {}, _TARIFF, needed="effective_from")
        if form.has(_LICENCE):
            kind = form.texts["licence_kind"]
            if kind not in LICENCE_KINDS:
                self._wrong("licence_kind", kind)
            begins = form.texts["licence_from"][:7]
            event_id = f"{begins}-what-if-{kind.replace('_', '-')}"
            named = {"event_id": event_id, "products": DEFAULT_PRODUCTS}
            self._add("events", named, _LICENCE, needed="effective_from")
            if kind in STRICTNESS:
                self.top["events"][-1] |= {"instrument": "export_control", "strictness": kind}
        if form.acts or form.has(SUSPENSION):
            self._suspension()
        for act, chance in form.chances:
            known = {one.event_id: one.last for one in self.choices.announced}
            entry = {"event_id": act, "suspended_to": known.get(act, "")}
            field = f"{CHANCE}{act}"
            entry["probability"] = self._number(field, chance)
            self._append("events", entry, {"probability": field}, field)

    def field_at(self, place: Place) -> str:
        """Return the field that a part of the scenario is of."""
        kind, number, name = (*place, "", 0, "")[:3]
        for of, at, fields, otherwise in self._fields:
            if (of, at) == (kind, number):
                return fields.get(str(name), otherwise)
        return ACTS

    def _titles(self) -> list[str]:
        found = []
        for step in self.top.get("tariffs", []):
            words = {
                "place": name_of(step["importer"]),
                "rate": step.get("rate_pct", step.get("add_points")),
                "day": _iso_day(step["effective_from"]),
            }
            found.append(
                gettext("tariff in %(place)s: %(rate)s%% from %(day)s", **words)
                if "rate_pct" in step
                else gettext(
                    "tariff in %(place)s: %(rate)s percentage points more from %(day)s", **words
                )
            )
        for act in self.top.get("events", []):
            if "instrument" in act:
                kind = LICENCE_KINDS[act.get("strictness", act["instrument"])]
                measure = gettext(kind)
                found.append(
                    gettext(
                        "%(measure)s for %(place)s from %(day)s",
                        measure=measure[:1].lower() + measure[1:]
                        if language() == DEFAULT
                        else measure,
                        place=name_of(act["destinations"]),
                        day=_iso_day(act["effective_from"]),
                    )
                )
        if self.form.acts:
            end = _iso_day(self.form.texts["suspension_to"])
            chance = self.form.texts["suspension_probability"]
            acts = listed([self._named(act) for act in self.form.acts])
            sentence = _SUSPENSIONS[bool(end), bool(chance)]
            found.append(gettext(sentence, acts=acts, day=end, chance=_odds(chance)))
        found += [
            gettext("%(act)s, probability %(chance)s", act=self._named(act), chance=_odds(chance))
            for act, chance in self.form.chances
        ]
        return found

    def _named(self, act: str) -> str:
        """Return what an act is about, in the language in use."""
        known = {one.event_id: one.title for one in self.choices.suspended + self.choices.announced}
        return act_words(known.get(act, act)).rstrip(".。")

    def _suspension(self) -> None:
        texts = self.form.texts
        known = {one.event_id for one in self.choices.suspended}
        if not self.form.acts:
            self.errors[ACTS] = gettext(
                "No measure selected. Choose the measures whose suspension ends."
            )
        for act in self.form.acts:
            if act not in known:
                self.errors[ACTS] = gettext(
                    "%(act)s is not a suspended measure. Choose one of those shown.",
                    act=repr(act),
                )
        if not (texts["suspension_to"] or texts["suspension_probability"]):
            self.errors["suspension_to"] = gettext("Missing. Fill it in.")
        for act in self.form.acts:
            self._add("events", {"event_id": act}, SUSPENSION, otherwise=ACTS)

    def _add(
        self,
        kind: str,
        entry: Mapping[str, str],
        fields: Mapping[str, str],
        *,
        needed: str = "",
        otherwise: str = "",
    ) -> None:
        """Add an entry of some fields; one that is needed and empty is noted."""
        found = dict(entry)
        for field, name in fields.items():
            text = self.form.texts[field]
            if text:
                found[name] = self._number(field, text) if name in _NUMBERS else text
            elif name == needed:
                self.errors[field] = gettext("Missing. Fill it in.")
        places = {name: field for field, name in fields.items()}
        self._append(kind, found, places, otherwise or places.get("effective_from", ACTS))

    def _append(
        self, kind: str, entry: dict[str, str], places: dict[str, str], otherwise: str
    ) -> None:
        entries = self.top.setdefault(kind, [])
        self._fields.append((kind, len(entries), places, otherwise))
        entries.append(entry)

    def _number(self, field: str, text: str) -> str:
        """Return a number as plain digits; as typed where it is none, with its error.

        A scenario is shared by its address: a number in it is read alike in all languages.
        """
        try:
            return plain_number(text)
        except ValueError as err:
            self.errors[field] = f'"{text}" is not {err}.'
            if language() != DEFAULT:
                self.errors[field] = gettext(
                    "%(value)s is not a number. Write it as 1000 or 1000.5.", value=repr(text)
                )
            return text

    def _wrong(self, field: str, value: str) -> None:
        self.errors[field] = gettext(
            "%(value)s is not in the list. Choose one of the list.", value=repr(value)
        )


def _whole(part: Any) -> Any:  # noqa: ANN401 - any part of a scenario
    """Return a scenario whose whole numbers are written without decimals."""
    if isinstance(part, dict):
        return {name: _whole(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_whole(value) for value in part]
    return int(part) if isinstance(part, float) and part.is_integer() else part


def _odds(text: str) -> str:
    """Return a probability as typed, 0 to 1, as a percentage; what is no number as it is."""
    try:
        return percentage(f"{100 * float(plain_number(text)):g}")
    except ValueError:
        return text


def _iso_day(text: str) -> str:
    """Return a day, or the first day of a month, as typed in a sound form."""
    return f"{text}-01" if len(text) == len("2027-01") else text


_SUSPENSIONS: Final = {
    (False, False): marked("suspension of %(acts)s"),
    (False, True): marked("suspension of %(acts)s, probability of return %(chance)s"),
    (True, False): marked("suspension of %(acts)s to %(day)s"),
    (True, True): marked("suspension of %(acts)s to %(day)s, probability of return %(chance)s"),
}
"""The title by what is given: the new end, the probability."""
