"""Levers of the what-if form: fields of a scenario by their path, such as ``tariffs.0.rate_pct``.

An act is named by its id in the place of a number; the one that the form adds is ``NEW``. The
paths and texts of an address make a scenario, and a scenario makes them again.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as of_class
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
from publication.state import Publication
from publication.words import as_clause, in_reading_order, message_of, name_of, rendered
from store.arrays import Floats
from store.errors import DataError
from store.numbers import plain_number
from store.publications.explanations import Announced, StoredExplanation
from store.schema.scenario import (
    ALL_MAGNETS,
    STRICTNESS,
    Place,
    Scenario,
    ScenarioAct,
    ScenarioContext,
    ScenarioTariff,
    WrongScenarioError,
    scenario_of,
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


NEW: Final = "new"
"""Stands for the id of the act that the form adds."""

BESIDE: Final = "beside"
"""Field that may be repeated: the query of a result that is kept for comparison."""

MOST_BESIDE: Final = 3
LONGEST_QUERY: Final = 2000

PRESET: Final = frozenset({"importer", "instrument", "destinations"})
"""Fields that a list fills in, which alone change nothing."""

LICENCE_KINDS: Final = {
    "export_ban": marked("Export ban"),
    "hardest": marked("Strictest licensing: the lowest share on record, month by month"),
    "minerals": marked("Licensing as on gallium, germanium, graphite and others since 2023"),
    "april_2025": marked("Licensing as on magnets in April 2025"),
    "export_control": marked("Additional licensing requirement, estimated effect"),
    "export_licence_relaxation": marked("Relaxation of licensing"),
}

SHOWN: Final = {
    "tariffs.0": (
        "importer", "rate_pct", "add_points", "announced_on", "effective_from", "effective_to",
    ),
    f"events.{NEW}": (
        "instrument", "destinations", "kept_pct", "diverted_pct", "probability", "announced_on",
        "effective_from",
    ),
}  # fmt: skip
"""Fields of the tariff step and of the new act that the form has."""

_NUMBERS: Final = frozenset(
    name
    for part in (ScenarioTariff, ScenarioAct)
    for name, about in part.model_fields.items()
    if about.annotation == float | None
)

_PATH: Final = re.compile(r"(tariffs\.\d{1,3}|events\.[^=]{1,80})\.([a-z_]{1,40})", re.ASCII)

_FORMER: Final = {
    "tariff_importer": "tariffs.0.importer", "tariff_rate": "tariffs.0.rate_pct",
    "tariff_points": "tariffs.0.add_points", "tariff_announced": "tariffs.0.announced_on",
    "tariff_from": "tariffs.0.effective_from", "tariff_to": "tariffs.0.effective_to",
    "licence_kind": "events.new.instrument", "licence_for": "events.new.destinations",
    "licence_announced": "events.new.announced_on", "licence_from": "events.new.effective_from",
    "licence_kept": "events.new.kept_pct", "licence_diverted": "events.new.diverted_pct",
    "licence_probability": "events.new.probability",
}  # fmt: skip
"""Paths by their names in links made before they were those of a scenario."""

_FORMER_CHANCE: Final = "chance."
_FORMER_ACTS: Final = {"suspension_to": "suspended_to", "suspension_probability": "probability"}
"""Fields of all acts named by ``suspension`` in such links."""


@dataclass(frozen=True, slots=True)
class KnownAct:
    """Act on record that may come, or return from its suspension."""

    event_id: str
    due: str
    """Announced day; empty without one."""
    suspended_to: str = ""
    """Last day of its suspension; empty if it is not suspended."""
    chance: float | None = None
    """That it comes as announced, as estimated."""


@dataclass(frozen=True, slots=True)
class LeverChoices:
    """What the fields may be set to at one publication."""

    context: ScenarioContext
    """What a scenario may refer to."""
    acts: tuple[KnownAct, ...] = ()
    """Announced ones, soonest first, then suspended ones, most severe first."""
    titles: Mapping[str, str] = of_class(default_factory=dict)
    """Summaries by act."""
    months: tuple[str, ...] = ()
    """First days from which a measure may start, ``YYYY-MM-DD``, one a month of the forecast."""
    rates: Mapping[str, pd.DataFrame] = of_class(default_factory=dict)
    """Tariff steps in force on that day by importer, of those with known ones."""

    @property
    def day(self) -> str:
        return f"{self.context.day:%Y-%m-%d}"

    def is_chance(self, act: ScenarioAct) -> bool:
        """Whether an act is as announced but for its probability."""
        end = act.suspended_to
        is_as_known = end is None or f"{end:%Y-%m-%d}" == self.end_of(act.event_id)
        return act.probability is not None and is_as_known

    def end_of(self, event_id: str) -> str:
        """Last day of an act's suspension; empty if none is known."""
        return next((act.suspended_to for act in self.acts if act.event_id == event_id), "")

    def rate_of(self, importer: str) -> float | None:
        """The whole rate in force of an importer, None where none is known."""
        steps = self.rates.get(importer)
        return None if steps is None else round(float(steps["rate_pct"].sum()), 6)


def context_of(publication: Publication) -> ScenarioContext:
    """What a scenario may refer to at a publication of the magnets."""
    if not publication.from_evidence:
        raise DataError(
            gettext(
                "Scenarios are answered for rare-earth magnets only: no act on another commodity "
                "is in the data."
            )
        )
    destinations = publication.destinations
    return ScenarioContext(
        publication.as_of,
        publication.snapshot.ledger.events,
        tuple(destinations),
        tuple(in_reading_order(importer_of(name) for name in destinations if name != WORLD)),
        observed_before=pd.Timestamp(publication.snapshot.cutoff) + pd.DateOffset(months=1),
    )


def choices_of(publication: Publication) -> LeverChoices:
    """Choices of the form's fields at one publication."""
    context = context_of(publication)
    explained = publication.published.explanation or StoredExplanation()
    periods = pd.to_datetime(publication.latest["period"]).drop_duplicates().sort_values()
    rates = {name: _rates(publication, name, context.day) for name in context.importers}
    return LeverChoices(
        context=context,
        acts=tuple(_acts(context, [act for act in explained.announced if act.event_id])),
        titles=dict(zip(context.events["event_id"], context.events["summary"], strict=True)),
        months=tuple(f"{period:%Y-%m-%d}" for period in periods if period > context.day),
        rates={name: steps for name, steps in rates.items() if len(steps)},
    )


def _acts(context: ScenarioContext, announced: Sequence[Announced]) -> Iterator[KnownAct]:
    """Acts that may come or return; a truce may hold one off beyond the end of its suspension."""
    order = {"severity": False, "event_id": True}
    events = context.events.sort_values(list(order), ascending=list(order.values()))
    restrictive = events.loc[events["direction"].eq("restrictive")].set_index("event_id")
    ends = restrictive["suspended_to"][restrictive["suspended_to"].ge(context.day)]
    suspended = ends.dt.strftime("%Y-%m-%d").to_dict()
    for act in sorted(announced, key=lambda act: (act.due, act.event_id)):
        end = act.last if act.is_return and act.event_id in restrictive.index else ""
        known_end = suspended.pop(act.event_id, "")
        yield KnownAct(act.event_id, act.due, end or known_end, act.chances[0])
    for name, end in suspended.items():
        yield KnownAct(str(name), "", end)


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


def lever_texts(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Filled fields of a query by path; other parameters are ignored."""
    filled = [(path, text.strip()) for path, text in _with_present_names(pairs)]
    return {path: text for path, text in filled if text and _PATH.fullmatch(path)}


def _with_present_names(pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    acts = [text for name, text in pairs if name == "suspension"]
    for name, text in pairs:
        if name in _FORMER_ACTS:
            yield from ((f"events.{act}.{_FORMER_ACTS[name]}", text) for act in acts)
        elif name.startswith(_FORMER_CHANCE):
            yield f"events.{name.removeprefix(_FORMER_CHANCE)}.probability", text
        else:
            yield _FORMER.get(name, name), text


class LeverForm:
    """Fields as typed, by path, and the scenario that they make or what is wrong with them."""

    def __init__(self, texts: Mapping[str, str], choices: LeverChoices) -> None:
        self.texts, self.choices = dict(texts), choices
        self.errors: dict[str, str] = {}
        """Messages by path."""
        entries = self._entries()
        self.is_empty = not entries
        scenario = None if self.is_empty else self._scenario_of(entries)
        self.scenario = None if self.errors or scenario is None else self._named(scenario)

    @property
    def query(self) -> str:
        """Query of an address that has this form."""
        return urlencode(self.texts)

    @property
    def changes(self) -> list[str]:
        """What the scenario changes, in words; none without a sound one."""
        titles = _titles(self.scenario, self.choices) if self.scenario else ()
        return [Sentence(title[:1].upper() + title[1:]) for title in titles]

    @property
    def title(self) -> str:
        """All changes as one title."""
        return _title(self.scenario, self.choices) if self.scenario else Sentence("")

    @property
    def yaml(self) -> str:
        """Scenario as a file, the same in all languages; empty without a sound one."""
        if self.scenario is None:
            return ""
        values = self.scenario.model_dump(exclude_unset=True)
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None)

    @property
    def unseen(self) -> list[str]:
        """Paths of fields, or of errors, that the page has no field for."""
        acts = [
            (
                f"events.{act.event_id}",
                ("probability", "suspended_to")[: 2 if act.suspended_to else 1],
            )
            for act in self.choices.acts
        ]
        shown = {f"{entry}.{name}" for entry, names in [*SHOWN.items(), *acts] for name in names}
        return [path for path in dict.fromkeys([*self.texts, *self.errors]) if path not in shown]

    def has(self, *paths: str) -> bool:
        """Whether any of some fields is filled."""
        return any(path in self.texts for path in paths)

    def _named(self, scenario: Scenario) -> Scenario:
        with in_language(DEFAULT):
            name = str(_title(scenario, self.choices))
        return scenario.model_copy(update={"name": name})

    def _entries(self) -> dict[str, dict[str, str]]:
        """Values of each part of the scenario, without those of which only a list is set."""
        entries: dict[str, dict[str, str]] = {}
        for path, text in self.texts.items():
            entry, _, name = path.rpartition(".")
            entries.setdefault(entry, {})[name] = self._value(path, name, text)
        return {
            entry: values
            for entry, values in entries.items()
            if entry not in SHOWN or values.keys() - PRESET
        }

    def _value(self, path: str, name: str, text: str) -> str:
        """Number as plain digits, a percent as the share it is; as typed where it is none."""
        if name not in _NUMBERS:
            return text
        try:
            digits = typed_digits(text)
        except DataError as err:
            self.errors[path] = message_of(err)
            return text
        if name != "probability":
            return digits
        if not 0.0 <= float(digits) <= _WHOLE:
            self.errors[path] = gettext(
                "%(value)s is out of range. Expected 0 to 100 percent.", value=repr(text)
            )
        return f"{float(digits) / _WHOLE:g}"

    def _scenario_of(self, entries: Mapping[str, dict[str, str]]) -> Scenario | None:
        values: dict[str, Any] = {"name": "scenario"}
        entry_at: dict[tuple[object, object], str] = {}
        for entry, texts in entries.items():
            kind, _, name = entry.partition(".")
            parts = values.setdefault(kind, [])
            entry_at[kind, len(parts)] = entry
            parts.append(self._act(name, texts) if kind == "events" else texts)
        try:
            return scenario_of(values, self.choices.context)
        except WrongScenarioError as err:
            for fault in err.faults:
                path = self._path_at(fault.place, entry_at)
                self.errors.setdefault(path, rendered(fault.text))
        return None

    def _act(self, name: str, values: dict[str, str]) -> dict[str, str]:
        """Values of an act, with those that its fields imply."""
        kind = values.get("instrument", "")
        if not kind:
            ends = self.choices.end_of(name) if "probability" in values else ""
            return {"event_id": name, "suspended_to": ends, **values}
        if name == NEW:
            name = f"{values.get('effective_from', '')[:7]}-what-if-{kind.replace('_', '-')}"
        strict = {"instrument": "export_control", "strictness": kind} if kind in STRICTNESS else {}
        return {"event_id": name, **ALL_MAGNETS, **values, **strict}

    def _path_at(self, place: Place, entry_at: Mapping[tuple[object, object], str]) -> str:
        """Field that a part of the scenario is of: the first of its entry for what has none."""
        kind, number, name = (*place, "", 0, "")[:3]
        entry = entry_at.get((kind, number), "")
        first = next(path for path in self.texts if path.startswith(entry))
        return first if name in {"", "event_id"} else f"{entry}.{name}"


def texts_of(scenario: Scenario, choices: LeverChoices) -> dict[str, str]:
    """Fields of a scenario by path, of which ``LeverForm`` makes it again."""
    texts: dict[str, str] = {}
    for number, step in enumerate(scenario.tariffs):
        texts |= _filled(f"tariffs.{number}", step)
    new = next((act for act in scenario.events if act.instrument), None)
    for act in scenario.events:
        entry = f"events.{NEW if act is new else act.event_id}"
        texts |= _filled(entry, act)
        if choices.is_chance(act):
            texts.pop(f"{entry}.suspended_to", None)
    return texts


def _filled(entry: str, part: ScenarioAct | ScenarioTariff) -> dict[str, str]:
    values = {name: getattr(part, name) for name in type(part).model_fields}
    if isinstance(part, ScenarioAct):
        del values["event_id"], values["strictness"]
        values["instrument"] = part.kind or None
    texts = {name: _typed(name, value) for name, value in values.items() if value is not None}
    implied = ALL_MAGNETS.items() if values.get("instrument") else ()
    return {f"{entry}.{name}": text for name, text in texts.items() if (name, text) not in implied}


def _typed(name: str, value: object) -> str:
    """Value as it is typed into a field."""
    if isinstance(value, float):
        return f"{value * _WHOLE if name == 'probability' else value:.12g}"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return ";".join(value) if isinstance(value, list) else str(value)


def _title(scenario: Scenario, choices: LeverChoices) -> str:
    title = gettext("; ").join(_titles(scenario, choices))
    return Sentence(title[:1].upper() + title[1:])


def _titles(scenario: Scenario, choices: LeverChoices) -> Iterator[str]:
    """What each part of a scenario changes, in words."""
    for step in scenario.tariffs:
        rate, sentence = (
            (step.add_points, _POINTS) if step.rate_pct is None else (step.rate_pct, _RATE)
        )
        yield gettext(
            sentence,
            place=name_of(step.importer),
            rate=separated(f"{rate:g}"),
            day=dated(step.effective_from, "day"),
        )
    suspended: dict[tuple[pd.Timestamp, float | None], list[str]] = {}
    for act in scenario.events:
        if act.instrument:
            yield _with_odds(_new_act(act), act.probability)
            continue
        end = act.suspended_to
        name = as_clause(act_words(choices.titles.get(act.event_id, act.event_id)))
        if end is None or choices.is_chance(act):
            yield _with_odds(name, act.probability)
        else:
            suspended.setdefault((end, act.probability), []).append(name)
    for (end, chance), names in suspended.items():
        yield gettext(
            _SUSPENSION if chance is None else _UNCERTAIN_SUSPENSION,
            acts=listed(names),
            day=dated(end, "day"),
            chance=percentage(f"{_WHOLE * (chance or 0.0):g}"),
        )


def _new_act(act: ScenarioAct) -> str:
    measure = gettext(LICENCE_KINDS.get(act.kind, act.kind))
    if language() == DEFAULT:
        measure = measure[:1].lower() + measure[1:]
    return gettext(
        "%(measure)s for %(place)s from %(day)s",
        measure=measure,
        place=listed([name_of(code) for code in act.destinations or ()]),
        day="" if act.effective_from is None else dated(act.effective_from, "day"),
    )


def _with_odds(act: str, probability: float | None) -> str:
    if probability is None:
        return act
    odds = percentage(f"{_WHOLE * probability:g}")
    return gettext("%(act)s, probability %(chance)s", act=act, chance=odds)


_WHOLE: Final = 100.0

_RATE: Final = marked("tariff in %(place)s: %(rate)s%% from %(day)s")
_POINTS: Final = marked("tariff in %(place)s: %(rate)s percentage points more from %(day)s")
_SUSPENSION: Final = marked("suspension of %(acts)s to %(day)s")
_UNCERTAIN_SUSPENSION: Final = marked(
    "suspension of %(acts)s to %(day)s, probability of return %(chance)s"
)
