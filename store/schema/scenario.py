"""Scenarios: hypothetical acts and tariff steps on top of what is known at an as_of.

Nothing of a scenario is ever stored.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal, Self, get_args

import pandas as pd
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails

from store.errors import DataError, first_few, shown
from store.messages import Message, Value, message, sentences
from store.vocabulary import COVERED, QUANTILE_COLUMNS, Direction, Instrument, is_covered

_MOST_ENTRIES: Final = 50
"""Acts and tariff steps that one scenario may hold."""

ALL_MAGNETS: Final = {
    "covers": "magnets", "covered_share": "1", "covered_because": "assumed of all magnets",
}  # fmt: skip
"""What an act covers that a form adds."""

HIGHEST_RATE_PCT: Final = 1000.0
"""A tariff above this is taken for a typing error."""

ACT_DAYS: Final = (
    "announced_on", "effective_from", "effective_to", "suspended_from", "suspended_to",
)  # fmt: skip

_ACT_WORDS: Final = (
    "instrument", "direction", "destinations", "covers", "covered_share", "covered_because",
)  # fmt: skip

_NEW_NEEDS: Final = (
    "instrument", "destinations", "effective_from", "covers", "covered_share", "covered_because",
)  # fmt: skip

_EASING: Final = frozenset(
    {"tariff_decrease", "export_licence_relaxation", "truce", "trade_talks", "supply_deal"}
)

_STOPPING: Final = frozenset({"export_ban", "export_control"})

Strictness = Literal["hardest", "minerals", "april_2025"]
STRICTNESS: Final[tuple[str, ...]] = get_args(Strictness)
"""How a licensing requirement is applied, strictest first: what is on record of others."""

_NEW_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)

Place = tuple[str | int, ...]
"""Names and numbers that lead to a part of a scenario."""


class WrongFieldError(ValueError):
    """A field is not as expected."""

    def __init__(self, text: Message) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a part of a scenario."""

    place: Place
    text: Message


class WrongPartError(ValueError):
    """Fields of a part contradict each other or what the scenario is about."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(str(fault.text) for fault in faults))
        self.faults = faults


class WrongScenarioError(DataError):
    """Parts of a scenario are not as expected, each with its place."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        texts = [": ".join([".".join(map(str, f.place)), str(f.text).rstrip(".")]) for f in faults]
        super().__init__(f"Wrong in the scenario: {first_few(texts)}. Correct it.")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class ScenarioContext:
    """What a scenario may refer to."""

    as_of: pd.Timestamp
    events: pd.DataFrame
    """Policy events as known, one row per act (store contract)."""
    destinations: Collection[str]
    """Series that are forecast, sums among them."""
    importers: Collection[str]
    """Importers whose tariffs apply to them."""
    observed_before: pd.Timestamp | None = None
    """First day after the last known month: acts in force before it already show in the data."""

    @property
    def day(self) -> pd.Timestamp:
        return self.as_of.tz_convert("UTC").tz_localize(None).normalize().as_unit("us")

    def columns_of(self, event_id: str) -> dict[str, Any]:
        """Columns of a known act; empty for any other."""
        match = self.events.loc[self.events["event_id"] == event_id]
        return {str(name): value for name, value in match.iloc[0].items()} if len(match) else {}


def _printable(text: str) -> str:
    if not text.isprintable():
        raise WrongFieldError(message("Write one line of printable text."))
    return text


def _day(value: object) -> pd.Timestamp:
    text = str(value.date() if isinstance(value, pd.Timestamp) else value)
    try:
        day = f"{text}-01" if len(text) == _MONTH_LENGTH else text
        return pd.Timestamp(date.fromisoformat(day if _DAY.fullmatch(text) else "")).as_unit("us")
    except ValueError as err:
        raise WrongFieldError(
            message(
                "%(value)s is not a date. Write YYYY-MM-DD, or YYYY-MM for the first day of a "
                "month.",
                value=shown(repr(text)),
            )
        ) from err


def _listed(value: object) -> object:
    return value.split(";") if isinstance(value, str) else value


_DAY: Final = re.compile(r"(19|2[01])\d{2}-\d{2}(-\d{2})?", re.ASCII)
_MONTH_LENGTH: Final = len("2027-01")


def _covered(text: str) -> str:
    if not is_covered(text):
        raise WrongFieldError(_not_listed(text, ("HS codes", *COVERED)))
    return text


Cell = str | float | pd.Timestamp | None
Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_printable)]
Day = Annotated[
    pd.Timestamp,
    BeforeValidator(_day),
    PlainSerializer(pd.Timestamp.date),
    WithJsonSchema({"type": "string", "format": "date"}),
]


class _Part(BaseModel):
    """Part of a scenario; what is left empty is not given."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        arbitrary_types_allowed=True,
        coerce_numbers_to_str=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: Any) -> Any:  # noqa: ANN401 - as the file has it
        if not isinstance(data, dict):
            return data
        texts = {n: cell.strip() if isinstance(cell, str) else cell for n, cell in data.items()}
        return {name: value for name, value in texts.items() if value is not None and value != ""}


class _Lever(_Part):
    """Part that changes policy, checked against what the scenario may refer to."""

    _known: Mapping[str, Any] = PrivateAttr(default_factory=dict)
    _today: pd.Timestamp = PrivateAttr()

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Self:
        if isinstance(context := info.context, ScenarioContext):
            self._today = context.day
            self._known = context.columns_of(getattr(self, "event_id", ""))
            if faults := list(self._faults(context)):
                raise WrongPartError(faults)
        return self

    def _faults(self, context: ScenarioContext) -> Iterator[Fault]:
        raise NotImplementedError

    @property
    def announced(self) -> pd.Timestamp:
        """Day traders learn of it: that of the forecast if none is given."""
        day: pd.Timestamp | None = getattr(self, "announced_on", None)
        return self._today if day is None else day

    def _days(self, *names: str) -> dict[str, pd.Timestamp]:
        return {name: day for name in names if (day := getattr(self, name)) is not None}


class ScenarioAct(_Lever):
    """A new act, or other dates of a known one."""

    event_id: Text = Field(
        description=f"Of a known measure; a new one needs {', '.join(_NEW_NEEDS)}."
    )
    announced_on: Day | None = Field(None, description="The day of the forecast by default.")
    effective_from: Day | None = None
    effective_to: Day | None = None
    suspended_from: Day | None = None
    suspended_to: Day | None = None
    instrument: Instrument | None = None
    direction: Direction | None = None
    destinations: Annotated[list[Text] | None, BeforeValidator(_listed)] = Field(None, min_length=1)
    covers: Annotated[
        list[Annotated[str, AfterValidator(_covered)]] | None, BeforeValidator(_listed)
    ] = Field(None, min_length=1, description=f"HS codes or {', '.join(COVERED)}.")
    covered_share: float | None = Field(
        None, ge=0, le=1, description="Share of the trade in magnets that it covers."
    )
    covered_because: Text | None = Field(None, description="Why that share.")
    kept_pct: float | None = Field(
        None,
        ge=0,
        le=100,
        description="Percent of the trade it covers that still passes; 0 by default for a new ban.",
    )
    strictness: Strictness | None = Field(
        None, description="Past licensing that a new requirement is as strict as."
    )
    diverted_pct: float | None = Field(
        None, ge=0, le=100, description="Percent of what it stops that other destinations get."
    )
    probability: float | None = Field(
        None,
        ge=0,
        le=1,
        description="0 to 1, that it comes as announced; else it never does. By default estimated "
        "for an announced act, and 1 for a new one or other days.",
    )

    @property
    def is_new(self) -> bool:
        return not self._known

    @property
    def kind(self) -> str:
        """What a new act is: its instrument, or the past licensing that it is as strict as."""
        return self.strictness or self.instrument or ""

    @property
    def given(self) -> dict[str, Cell]:
        """Changed columns of a known act, or all columns of a new one; NaN for no assumption."""
        fields = {name: getattr(self, name) for name in (*_ACT_WORDS, *ACT_DAYS)}
        columns: dict[str, Cell] = {
            name: ";".join(cell) if isinstance(cell, list) else cell
            for name, cell in fields.items()
            if cell is not None
        }
        for name in ("kept_pct", "probability", "diverted_pct"):
            share = getattr(self, name)
            columns[name] = math.nan if share is None else share
        if self.strictness:
            columns["strictness"] = self.strictness
        if not self.is_new:
            # The act keeps its own announcement; the given day is that of its new dates.
            columns.pop("announced_on", None)
            return columns
        if self.instrument == "export_ban" and self.kept_pct is None:
            columns["kept_pct"] = 0.0
        direction = "easing" if self.instrument in _EASING else "restrictive"
        return {"direction": direction, **columns, "announced_on": self.announced}

    @property
    def never(self) -> "ScenarioAct":
        """Known act that does not come."""
        changes = dict.fromkeys({*type(self).model_fields} - {"event_id", "announced_on"})
        return self.model_copy(update={**changes, "probability": 0.0})

    def _faults(self, context: ScenarioContext) -> Iterator[Fault]:
        stored, columns = self._known, self.given
        yield from _past_days(self._days(*ACT_DAYS), stored, context)
        if stored:
            for name, day in self._days(*ACT_DAYS[1:]).items():
                if day != stored.get(name):
                    yield from _before_its_start(name, day, self.announced)
            yield from _changed_past(columns, stored, context)
        else:
            yield from self._missing(context)
        if self.destinations and columns["destinations"] != stored.get("destinations"):
            yield from _not_in("destinations", self.destinations, context.destinations)
        days = {name: cell for name, cell in columns.items() if name in ACT_DAYS}
        yield from _out_of_order(days, stored)
        yield from self._misplaced_shares({**stored, **columns}, context)

    def _missing(self, context: ScenarioContext) -> Iterator[Fault]:
        missing = [name for name in _NEW_NEEDS if getattr(self, name) is None]
        if self.instrument is None:
            text = message(
                "%(act)s is not a known act. Choose one that is; a new one needs %(fields)s.",
                act=repr(self.event_id),
                fields=", ".join(_NEW_NEEDS),
            )
            ids = context.events["event_id"]
            yield Fault(("event_id",), _with_nearest(text, self.event_id, ids))
        elif missing:
            yield from (Fault((name,), _TEXTS["missing"]) for name in missing)
        elif not _NEW_NAME.fullmatch(self.event_id):
            text = message(
                "%(value)s is not a name of up to 80 letters, digits, dots, hyphens and "
                "underscores.",
                value=repr(self.event_id),
            )
            yield Fault(("event_id",), text)

    def _misplaced_shares(
        self, columns: Mapping[str, object], context: ScenarioContext
    ) -> Iterator[Fault]:
        is_restrictive = columns.get("direction") == "restrictive"
        is_stop = is_restrictive and columns.get("instrument") in _STOPPING
        if self.kept_pct is not None and not is_stop:
            text = message(
                "A relaxation blocks nothing. Leave this empty, or choose a licensing requirement "
                "or a ban."
            )
            yield Fault(("kept_pct",), text)
        days = [columns.get(name) for name in ("effective_from", "suspended_to")]
        is_ahead = any(isinstance(day, pd.Timestamp) and day > context.day for day in days)
        if self.probability is not None and not (is_ahead and is_restrictive):
            text = message(
                "Only a restriction that is still to begin, or to return, has a probability. Leave "
                "this empty."
            )
            yield Fault(("probability",), text)
        is_licence = self.is_new and self.instrument == "export_control" and self.kept_pct is None
        if self.strictness and not is_licence:
            text = message(
                "Only a new licensing requirement without a share that passes is as strict as a "
                "past one. Leave this empty."
            )
            yield Fault(("strictness",), text)


class ScenarioTariff(_Lever):
    """A future rate of an importer on magnets from China."""

    importer: str = Field(examples=["USA"])
    rate_pct: float | None = Field(None, ge=0, le=HIGHEST_RATE_PCT, description="Total rate; or")
    add_points: float | None = Field(
        None, ge=-HIGHEST_RATE_PCT, le=HIGHEST_RATE_PCT, description="percentage points added."
    )
    announced_on: Day | None = Field(None, description="The day of the forecast by default.")
    effective_from: Day
    effective_to: Day | None = None

    def rate_over(self, rate: Any) -> Any:  # noqa: ANN401 - one rate or many
        """Whole rate in percent where another one is charged."""
        return (
            rate + (self.add_points or 0.0) if self.rate_pct is None else 0 * rate + self.rate_pct
        )

    def _faults(self, context: ScenarioContext) -> Iterator[Fault]:
        yield from _not_in("importer", [self.importer], context.importers)
        if (self.rate_pct is None) == (self.add_points is None):
            text = message("Give either the total rate or the points added.")
            yield Fault(("rate_pct",), text)
        days = self._days("announced_on", "effective_from", "effective_to")
        yield from _past_days(days, {}, context)
        yield from _out_of_order(days, {})


class Scenario(_Part):
    """A what-if question: hypothetical acts and tariff steps."""

    name: Text = Field(min_length=1)
    description: Text = ""
    events: list[ScenarioAct] = Field([], max_length=_MOST_ENTRIES)
    tariffs: list[ScenarioTariff] = Field([], max_length=_MOST_ENTRIES)

    @property
    def levers(self) -> tuple[ScenarioAct | ScenarioTariff, ...]:
        return (*self.events, *self.tariffs)

    @property
    def is_uncertain(self) -> bool:
        """Whether it may turn out in more than one way."""
        return len(self.branches) > 1

    @property
    def branches(self) -> list[tuple[float, "Scenario"]]:
        """Ways it may turn out, each with its acts certain, by the share of draws up to which.

        First all acts of a probability above 0 come; of two, the less probable one comes only with
        the other.
        """
        chances = {act.probability for act in self.events if act.probability is not None}
        return [(most, self._with_acts_from(most)) for most in sorted({*chances, 1.0} - {0.0})]

    def _with_acts_from(self, least: float) -> "Scenario":
        acts = []
        for act in self.events:
            if act.probability is None:
                acts.append(act)
            elif act.probability >= least:
                acts.append(act.model_copy(update={"probability": 1.0}))
            elif not act.is_new:
                acts.append(act.never)
        return self.model_copy(update={"events": acts})

    @model_validator(mode="after")
    def _changes_each_act_once(self) -> Self:
        if not {"events", "tariffs"} & self.model_fields_set:
            raise WrongFieldError(
                message("Neither events nor tariffs are given. Write one of them.")
            )
        names = [act.event_id for act in self.events]
        twice = [number for number, name in enumerate(names) if name in names[:number]]
        if twice:
            text = message(
                "%(act)s is changed twice. Give all its changes once.", act=names[twice[0]]
            )
            raise WrongPartError([Fault(("events", twice[0], "event_id"), text)])
        return self


def scenario_of(values: Mapping[str, object], context: ScenarioContext) -> Scenario:
    """Scenario of values as written or as Python has them, checked against what it is about.

    Raises:
        WrongScenarioError: With all that is wrong with it.
    """
    try:
        return Scenario.model_validate(values, context=context)
    except ValidationError as err:
        faults = [fault for error in err.errors() for fault in _faults_of(error)]
        raise WrongScenarioError(faults) from None


def _faults_of(error: ErrorDetails) -> list[Fault]:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, WrongPartError):
        return [Fault((*error["loc"], *fault.place), fault.text) for fault in cause.faults]
    text = fault_message(error)
    if error["type"] == "extra_forbidden":
        names = [
            name for part in (Scenario, ScenarioAct, ScenarioTariff) for name in part.model_fields
        ]
        text = _with_nearest(text, error["loc"][-1], names)
    return [Fault(error["loc"], text)]


UNCHANGED: Final = Scenario(name="unchanged", events=[], tariffs=[])
"""Scenario that changes nothing."""

_TEXTS: Final = {
    "missing": message("Missing. Fill it in."),
    "string_too_short": message("Missing. Fill it in."),
    "extra_forbidden": message("There is no field of this name. Correct it or leave it out."),
    "string_pattern_mismatch": message(
        "%(value)s is not a month. Write it as YYYY-MM, e.g. 2026-12."
    ),
    "float_parsing": message("%(value)s is not a number. Write it as 1000 or 1000.5."),
    "greater_than": message("%(value)s is out of range. Expected more than %(gt)s."),
    "greater_than_equal": message("%(value)s is out of range. Expected %(ge)s or more."),
    "less_than_equal": message("%(value)s is out of range. Expected %(le)s or less."),
}
"""What pydantic finds wrong, by its type of error."""


def fault_message(error: ErrorDetails) -> Message:
    """Message of a pydantic error."""
    context = error.get("ctx", {})
    if isinstance(wrong := context.get("error"), WrongFieldError):
        return wrong.text
    if error["type"] == "literal_error":
        return _not_listed(error["input"], re.findall("'(.+?)'", context["expected"]))
    key = _TEXTS[error["type"]].key if error["type"] in _TEXTS else "%(value)s: %(other)s."
    limits = {name: context[name] for name in ("gt", "ge", "le") if name in context}
    bounds: dict[str, Value] = {
        name: f"{limit:g}" if isinstance(limit, int | float) else str(limit)
        for name, limit in limits.items()
    }
    value = shown(repr(error["input"]))
    return Message(key, {"value": value, "other": error["msg"], **bounds})


def _past_days(
    days: Mapping[str, pd.Timestamp], stored: Mapping[str, object], context: ScenarioContext
) -> Iterator[Fault]:
    """Days before the as_of, unless the act has them already."""
    for name, day in days.items():
        if day < context.day and day != stored.get(name):
            text = message(
                "%(day)s is before %(first)s, the date of the forecast. Enter that date or a "
                "later one.",
                day=f"{day:%Y-%m-%d}",
                first=f"{context.day:%Y-%m-%d}",
            )
            yield Fault((name,), text)


def _not_in(name: str, values: Sequence[str], allowed: Collection[str]) -> Iterator[Fault]:
    for value in values:
        if value not in allowed:
            yield Fault((name,), _not_listed(value, allowed))


def _not_listed(value: object, allowed: Collection[str]) -> Message:
    text = message(
        "%(value)s is not in the list. Choose one of %(allowed)s.",
        value=shown(repr(value)),
        allowed=", ".join(sorted(allowed)),
    )
    return _with_nearest(text, value, allowed)


def _with_nearest(text: Message, value: object, names: Iterable[str]) -> Message:
    """A message, with the name that was probably meant if one is like it."""
    likely = get_close_matches(str(value), list(names), n=1)
    if not likely:
        return text
    return sentences(text, message("Did you mean %(name)s?", name=likely[0]))


def _before_its_start(name: str, day: object, first: object) -> Iterator[Fault]:
    if isinstance(day, pd.Timestamp) and isinstance(first, pd.Timestamp) and day < first:
        text = message(
            "%(day)s is before %(first)s, the date it follows. Enter that date or a later one.",
            day=f"{day:%Y-%m-%d}",
            first=f"{first:%Y-%m-%d}",
        )
        yield Fault((name,), text)


def _changed_past(
    columns: Mapping[str, object], stored: Mapping[str, object], context: ScenarioContext
) -> Iterator[Fault]:
    """Changes to an act that already shows in the data: it can only end or be suspended."""
    begins, observed = stored.get("effective_from"), context.observed_before
    if observed is None or not isinstance(begins, pd.Timestamp) or begins >= observed:
        return
    for name in ("effective_from", *_ACT_WORDS):
        if name in columns and columns[name] != stored.get(name):
            text = message(
                "Trade data show this act since %(day)s. End or suspend it instead.",
                day=f"{begins:%Y-%m-%d}",
            )
            yield Fault((name,), text)


def _out_of_order(columns: Mapping[str, object], stored: Mapping[str, object]) -> Iterator[Fault]:
    """An end before its start, and an act in force before it is announced."""
    days = {**stored, **columns}
    new = {name for name, day in columns.items() if day != stored.get(name)}
    pairs = (("effective_from", "effective_to"), ("suspended_from", "suspended_to"))
    for first, last in (*pairs, ("announced_on", "effective_from")):
        if new & {first, last}:
            yield from _before_its_start(last, days.get(last), days.get(first))
    if "suspended_to" in new and not isinstance(days.get("suspended_from"), pd.Timestamp):
        text = message("No suspension is known. Give suspended_from as well.")
        yield Fault(("suspended_to",), text)


SIDES: Final = ("base", "scenario")

OUTCOMES: Final = ("certain", "never")
"""Both ways an uncertain scenario may turn out: all of it happens, or nothing of it."""

_OUTCOME_LEVELS: Final = ("p10", "p50", "p90", "mean")

RESULT_COLUMNS: Final = (
    "destination", "period",
    *(f"{side}_{name}" for side in SIDES for name in (*QUANTILE_COLUMNS, "mean")),
    "difference_mean", "difference_p10", "difference_p90",
    *(f"{outcome}_{name}" for outcome in OUTCOMES for name in _OUTCOME_LEVELS),
    "warning",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """Forecasts with and without a scenario."""

    scenario: Scenario
    table: pd.DataFrame
    """``RESULT_COLUMNS``, one row a series and target; periods are ``YYYY-MM``, numbers tonnes.

    Of an uncertain scenario ``scenario_mean`` is weighted by its probabilities."""
    notes: tuple[Message, ...] = ()
    """What the result is based on."""
    warnings: Mapping[str, tuple[Message, ...]] = field(default_factory=dict)
    """Where the scenario goes beyond the historical record, by series."""
