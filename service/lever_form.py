"""The what-if form: its fields, what they may be set to, and the scenario or errors they make."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as of_class
from functools import cache, cached_property
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import yaml

from publication.language.formats import dated, decimal_sign, listed, percentage, separated
from publication.language.phrases import (
    DEFAULT,
    Sentence,
    act_words,
    gettext,
    in_language,
    language,
    marked,
)
from publication.pages.briefing import CHANCE
from publication.state import Publication
from publication.words import as_clause, in_reading_order, message_of, name_of, rendered
from service.scenario_pool import WorkedScenario
from store.arrays import Floats
from store.errors import DataError
from store.numbers import plain_number
from store.publications.explanations import Announced, StoredExplanation
from store.schema.scenario import (
    ALL_MAGNETS,
    STRICTNESS,
    Place,
    Scenario,
    ScenarioContext,
    ScenarioTariff,
    checked_scenario,
)
from store.vocabulary import NOT_A_TARIFF, OTHER_SUFFIXES, WORLD, importer_of


def typed_digits(text: str) -> str:
    """Number as plain digits, such as ``1000.5``; the error says how to write one."""
    try:
        return plain_number(text, decimal=decimal_sign())
    except ValueError as err:
        if language() == DEFAULT:
            raise DataError(f'"{text[:40]}" is not {err}.') from err
        raise DataError(
            gettext(
                "“%(text)s” is not a plain number. Write it as %(example)s.",
                text=text[:40],
                example=separated("1,000.5"),
            )
        ) from err


_STARTS: Final = re.compile(r"[\s,;]+(?=\d{4}-\d{2}(?!\d))", re.ASCII)
_LINE: Final = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))[\s,;:]+(\S(?:.*\S)?)", re.ASCII)


def typed_months(text: str) -> dict[str, float]:
    """Tonnes by month, ``YYYY-MM``, from lines such as ``2026-12 14.5``."""
    months: dict[str, float] = {}
    for part in filter(None, _STARTS.split(text.strip(" \t\r\n,;"))):
        match = _LINE.fullmatch(part)
        if match is None:
            raise DataError(
                gettext(
                    "“%(text)s” is no month with its tonnes. Write lines such as %(example)s.",
                    text=part[:40],
                    example=f"2026-12 {separated('14.5')}",
                )
            )
        if match[1] in months:
            raise DataError(gettext("%(month)s is entered twice. Enter it once.", month=match[1]))
        months[match[1]] = float(typed_digits(match[2]))
    return months


ACTS: Final = "suspension"
"""Field that may be repeated: the measures whose suspension is changed."""

WHAT_IF: Final = "-what-if-"
"""Tells the id of an act of the form from those of the ledger."""

BESIDE: Final = "beside"
"""Field that may be repeated: the query of a result that is kept for comparison."""

MOST_BESIDE: Final = 3
LONGEST_QUERY: Final = 2000

CHOICES: Final = ("tariff_importer", "licence_kind", "licence_for")
"""Fields with a preset value, which alone make no scenario."""

LICENCE_KINDS: Final = {
    "export_ban": marked("Export ban"),
    "hardest": marked("Strictest licensing: the lowest share on record, month by month"),
    "minerals": marked("Licensing as on gallium, germanium, graphite and others since 2023"),
    "april_2025": marked("Licensing as on magnets in April 2025"),
    "export_control": marked("Additional licensing requirement, estimated effect"),
    "export_licence_relaxation": marked("Relaxation of licensing"),
}

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

_NUMBERS: Final = frozenset({"rate_pct", "add_points", "kept_pct", "diverted_pct"})


@dataclass(frozen=True, slots=True)
class LeverChoices:
    """What the fields may be set to at one publication."""

    context: ScenarioContext
    """What a scenario may refer to."""
    suspended: Mapping[str, str]
    """Last day of the suspension by known measure, most severe first."""
    announced: tuple[Announced, ...] = ()
    """Controls announced for a day within the horizon, soonest first."""
    titles: Mapping[str, str] = of_class(default_factory=dict)
    """Summaries by act."""
    months: tuple[str, ...] = ()
    """First days from which a measure may start, ``YYYY-MM-DD``, one a month of the forecast."""
    rates: Mapping[str, pd.DataFrame] = of_class(default_factory=dict)
    """Tariff steps in force on that day by importer, of those with known ones."""

    @property
    def day(self) -> str:
        return f"{self.context.day:%Y-%m-%d}"

    def rate_of(self, importer: str) -> float | None:
        """The whole rate in force of an importer, None where none is known."""
        steps = self.rates.get(importer)
        return None if steps is None else round(float(steps["rate_pct"].sum()), 6)


def choices_of(publication: Publication) -> LeverChoices:
    """Choices of the form's fields at one publication."""
    destinations = publication.destinations
    importers = in_reading_order(importer_of(name) for name in destinations if name != WORLD)
    context = ScenarioContext(
        publication.as_of,
        publication.snapshot.ledger.events,
        tuple(destinations),
        tuple(importers),
        observed_before=pd.Timestamp(publication.snapshot.cutoff) + pd.DateOffset(months=1),
    )
    day = context.day
    explained = publication.published.explanation or StoredExplanation()
    controls = [act for act in explained.announced if act.event_id]
    announced = sorted(controls, key=lambda act: (act.due, act.event_id))
    periods = pd.to_datetime(publication.latest["period"]).drop_duplicates().sort_values()
    return LeverChoices(
        context=context,
        suspended=_suspended(context, controls),
        announced=tuple(announced),
        titles=dict(zip(context.events["event_id"], context.events["summary"], strict=True)),
        months=tuple(f"{period:%Y-%m-%d}" for period in periods if period > day),
        rates={name: steps for name in importers if len(steps := _rates(publication, name, day))},
    )


def _rates(publication: Publication, importer: str, day: pd.Timestamp) -> pd.DataFrame:
    """Tariff steps that make up an importer's whole rate on a day, oldest first."""
    steps = publication.snapshot.ledger.tariffs.sort_values(["effective_from", "rate_pct"])
    is_other_product = steps["product_scope"].str.contains(OTHER_SUFFIXES, regex=False)
    is_counted = (
        steps["importer"].eq(importer) & steps["effective_from"].le(day) & ~is_other_product
    )
    is_counted &= ~steps["component"].isin(NOT_A_TARIFF) & steps["rate_pct"].notna()
    newest = steps.loc[is_counted].drop_duplicates("component", keep="last")
    in_force = newest["effective_to"].isna() | newest["effective_to"].ge(day)
    return newest.loc[in_force].sort_values("effective_from")


def rates_by_month(publication: Publication, importer: str) -> Floats:
    """Whole rate of an importer in percent by month of the history; empty where none is known."""

    def read() -> Floats:
        today = publication.as_of.tz_convert("UTC").tz_localize(None)
        months = pd.date_range(publication.snapshot.panel["period"].min(), today, freq="MS")
        middle = (min(month + pd.Timedelta(days=15), today) for month in months)
        parts = [_rates(publication, importer, day) for day in middle]
        return np.array([float(steps["rate_pct"].sum()) for steps in parts if len(steps)])

    return publication.memo.make(("rates by month", importer), read)


def _suspended(context: ScenarioContext, announced: Iterable[Announced]) -> dict[str, str]:
    """Last day of measures known to be suspended, most severe first.

    A truce may hold off a measure beyond the end of its own suspension.
    """
    returns = {act.event_id: act.last for act in announced if act.is_return}
    events = context.events
    is_suspended = events["suspended_to"].ge(context.day) | events["event_id"].isin(list(returns))
    suspended = events.loc[is_suspended & events["direction"].eq("restrictive")]
    rows = suspended.sort_values(["severity", "event_id"], ascending=[False, True])
    ends = rows["suspended_to"].dt.strftime("%Y-%m-%d")
    return dict(zip(rows["event_id"], ends, strict=True)) | {
        name: day for name, day in returns.items() if name in set(rows["event_id"])
    }


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
        """Whether any of some fields without a preset value is filled."""
        return any(self.texts.get(name) for name in names if name not in CHOICES)

    def query(self) -> str:
        """Form as the query of an address, without empty fields."""
        filled = [(name, self.texts[name]) for name in TEXTS if self.texts.get(name)]
        acts = [(ACTS, act) for act in self.acts]
        chances = [(f"{CHANCE}{act}", chance) for act, chance in self.chances]
        return urlencode([*filled, *acts, *chances])


def form_of(pairs: Sequence[tuple[str, str]]) -> LeverForm:
    """Form in a query; other parameters are ignored."""
    cut = [(name, value.strip()) for name, value in pairs]
    texts = dict.fromkeys(TEXTS, "") | {name: value for name, value in cut if name in TEXTS}
    acts = dict.fromkeys(value for name, value in cut if name == ACTS)
    chances = {n.removeprefix(CHANCE): v for n, v in cut if n.startswith(CHANCE) and v}
    return LeverForm(texts, tuple(acts), tuple(chances.items()))


@cache
def form_like(worked: WorkedScenario) -> LeverForm:
    """Example scenario as a form: a tariff step, a new act, other dates of known ones."""
    top = yaml.safe_load(worked.text)
    texts = dict.fromkeys(TEXTS, "")
    events = top.get("events") or []
    for step in (top.get("tariffs") or [])[:1]:
        texts |= _texts_of(step, _TARIFF)
    for act in [event for event in events if "instrument" in event][:1]:
        kind = act.get("strictness", act["instrument"])
        shown = {**act, "instrument": kind, "destinations": act["destinations"][0]}
        texts |= _texts_of(shown, _LICENCE)
    changed = [event for event in events if "instrument" not in event]
    for act in changed[:1]:
        texts |= _texts_of(act, SUSPENSION)
    return LeverForm(texts, tuple(str(event["event_id"]) for event in changed))


def _texts_of(entry: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, str]:
    return {field: str(entry.get(name, "")) for field, name in fields.items()}


class CheckedForm:
    """A form as a scenario, of which each part knows its field, or its errors."""

    def __init__(self, form: LeverForm, choices: LeverChoices) -> None:
        self.form = form
        self.choices = choices
        self.top: dict[str, Any] = {}
        """The scenario without its name, as texts."""
        self.errors: dict[str, str] = {}
        """Messages by field."""
        self._fields: dict[tuple[object, object], dict[str, str]] = {}
        """Of each entry: the field that has each of its parts, and the one for all others."""
        self._build()
        named = {"name": "scenario", **self.top}
        scenario, faults = (None, []) if form.is_empty else checked_scenario(named, choices.context)
        for fault in faults:
            self.errors.setdefault(self._field_at(fault.place), rendered(fault.text))
        self._scenario = None if self.errors else scenario

    @property
    def changes(self) -> list[str]:
        """What the scenario changes, in words; none without a sound one."""
        titles = self._titles(self._scenario) if self._scenario else ()
        return [Sentence(title[:1].upper() + title[1:]) for title in titles]

    @property
    def title(self) -> str:
        """All changes as one title."""
        title = gettext("; ").join(self._titles(self._scenario) if self._scenario else ())
        return Sentence(title[:1].upper() + title[1:])

    @property
    def tariffs(self) -> tuple[ScenarioTariff, ...]:
        """Tariff steps of a sound scenario."""
        return tuple(self._scenario.tariffs) if self._scenario else ()

    @cached_property
    def text(self) -> str:
        """Scenario as YAML, the same in all languages; empty without a sound one."""
        if self._scenario is None:
            return ""
        with in_language(DEFAULT):
            scenario = {**self._scenario.model_dump(exclude_unset=True), "name": str(self.title)}
        return yaml.safe_dump(
            scenario, sort_keys=False, allow_unicode=True, default_flow_style=None
        )

    def _build(self) -> None:
        """Take over what is filled in; a scenario has its own words for most of what is wrong."""
        form, texts = self.form, self.form.texts
        if form.has(_TARIFF):
            self._add("tariffs", {}, _TARIFF)
        if form.has(_LICENCE):
            kind, begins = texts["licence_kind"], texts["licence_from"]
            if kind not in LICENCE_KINDS:
                self.errors["licence_kind"] = gettext(
                    "%(value)s is not in the list. Choose one of the list.", value=repr(kind)
                )
            if not begins:
                self.errors["licence_from"] = gettext("Missing. Fill it in.")
            event_id = f"{begins[:7]}{WHAT_IF}{kind.replace('_', '-')}"
            self._add("events", {"event_id": event_id, **ALL_MAGNETS}, _LICENCE)
            if kind in STRICTNESS:
                self.top["events"][-1] |= {"instrument": "export_control", "strictness": kind}
        self._add_suspension()
        ends = {
            announced.event_id: announced.last
            for announced in self.choices.announced
            if announced.is_return
        }
        for act, chance in form.chances:
            field = f"{CHANCE}{act}"
            entry = {
                "event_id": act,
                "suspended_to": ends.get(act, ""),
                "probability": self._share(field, chance),
            }
            self._append("events", entry, {"": field})

    def _add_suspension(self) -> None:
        acts, is_dated = self.form.acts, self.form.has(SUSPENSION)
        if is_dated and not acts:
            self.errors[ACTS] = gettext(
                "No measure selected. Choose the measures whose suspension ends."
            )
        if acts and not is_dated:
            self.errors["suspension_to"] = gettext("Missing. Fill it in.")
        for act in acts:
            if act in self.choices.suspended:
                self._add("events", {"event_id": act}, SUSPENSION)
            else:
                self.errors[ACTS] = gettext(
                    "%(act)s is not a suspended measure. Choose one of those shown.", act=repr(act)
                )

    def _field_at(self, place: Place) -> str:
        """Field that a part of the scenario is of."""
        kind, number, name = (*place, "", 0, "")[:3]
        fields = self._fields.get((kind, number), {})
        return fields.get(str(name)) or fields.get("", ACTS)

    def _titles(self, scenario: Scenario) -> Iterator[str]:
        for step in scenario.tariffs:
            rate, sentence = (
                (step.add_points, _POINTS) if step.rate_pct is None else (step.rate_pct, _RATE)
            )
            place = name_of(step.importer)
            yield gettext(
                sentence,
                place=place,
                rate=separated(f"{rate:g}"),
                day=dated(step.effective_from, "day"),
            )
        for act in scenario.events:
            if act.instrument:
                measure = gettext(LICENCE_KINDS[act.strictness or act.instrument])
                if language() == DEFAULT:
                    measure = measure[:1].lower() + measure[1:]
                named = gettext(
                    "%(measure)s for %(place)s from %(day)s",
                    measure=measure,
                    place=listed([name_of(code) for code in act.destinations or ()]),
                    day="" if act.effective_from is None else dated(act.effective_from, "day"),
                )
                if act.probability is not None:
                    odds = percentage(f"{100 * act.probability:g}")
                    named = gettext("%(act)s, probability %(chance)s", act=named, chance=odds)
                yield named
        changed = [act for act in scenario.events if act.event_id in self.form.acts]
        for act in changed[:1]:
            end, chance = act.suspended_to, act.probability
            yield gettext(
                _SUSPENSIONS[end is not None, chance is not None],
                acts=listed([self._named(act.event_id) for act in changed]),
                day="" if end is None else dated(end, "day"),
                chance=percentage(f"{100 * (chance or 0.0):g}"),
            )
        for name, typed in self.form.chances:
            odds = percentage(f"{float(typed_digits(typed)):g}")
            yield gettext("%(act)s, probability %(chance)s", act=self._named(name), chance=odds)

    def _named(self, act: str) -> str:
        """Subject of an act in the language in use."""
        return as_clause(act_words(self.choices.titles.get(act, act)))

    def _add(self, kind: str, entry: Mapping[str, str], fields: Mapping[str, str]) -> None:
        """Add an entry of some fields."""
        filled = {name: field for field, name in fields.items() if self.form.texts[field]}
        texts = {
            name: self._share(field, self.form.texts[field])
            if name == "probability"
            else self._number(field, self.form.texts[field])
            if name in _NUMBERS
            else self.form.texts[field]
            for name, field in filled.items()
        }
        places = {name: field for field, name in fields.items()}
        remaining = {"": places.get("effective_from", ACTS)}
        self._append(kind, {**entry, **texts}, places | remaining)

    def _append(self, kind: str, entry: dict[str, str], places: dict[str, str]) -> None:
        entries = self.top.setdefault(kind, [])
        self._fields[kind, len(entries)] = places
        entries.append(entry)

    def _number(self, field: str, text: str) -> str:
        """Number as plain digits; as typed where it is none, with its error."""
        try:
            return typed_digits(text)
        except DataError as err:
            self.errors[field] = message_of(err)
            return text

    def _share(self, field: str, text: str) -> str:
        """Percent as a share, as a scenario has it."""
        digits = self._number(field, text)
        if field in self.errors:
            return text
        if not 0.0 <= float(digits) <= _WHOLE:
            self.errors[field] = gettext(
                "%(value)s is out of range. Expected 0 to 100 percent.", value=repr(text)
            )
        return f"{float(digits) / _WHOLE:g}"


_WHOLE: Final = 100.0

_RATE: Final = marked("tariff in %(place)s: %(rate)s%% from %(day)s")
_POINTS: Final = marked("tariff in %(place)s: %(rate)s percentage points more from %(day)s")
_SUSPENSIONS: Final = {
    (False, False): marked("suspension of %(acts)s"),
    (False, True): marked("suspension of %(acts)s, probability of return %(chance)s"),
    (True, False): marked("suspension of %(acts)s to %(day)s"),
    (True, True): marked("suspension of %(acts)s to %(day)s, probability of return %(chance)s"),
}
"""The title by what is given: the new end, the probability."""
