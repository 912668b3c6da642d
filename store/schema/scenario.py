"""Scenarios: hypothetical acts and tariff steps on top of what is known at an as_of.

Nothing of a scenario is ever stored.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal, Self, get_args

import pandas as pd
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from store.errors import shown
from store.messages import Message, Value, message
from store.vocabulary import COVERED, Direction, Instrument, is_covered

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


def _printable(text: str) -> str:
    if not text.isprintable():
        raise WrongFieldError(message("Not printable text on one line. Write it as such."))
    return text


def _day(value: object) -> date:
    text = str(value)
    try:
        day = f"{text}-01" if len(text) == _MONTH_LENGTH else text
        return date.fromisoformat(day if _DAY.fullmatch(text) else "")
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


Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_printable)]
Day = Annotated[date, BeforeValidator(_day)]


class _Part(BaseModel):
    """Part of a scenario; what is left empty is not given."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: Any) -> Any:  # noqa: ANN401 - as the file has it
        if not isinstance(data, dict):
            return data
        given = {n: one.strip() if isinstance(one, str) else one for n, one in data.items()}
        return {name: value for name, value in given.items() if value is not None and value != ""}


class ScenarioAct(_Part):
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
        None, ge=0, le=1, description="That it comes as announced; estimated by default."
    )


class ScenarioTariff(_Part):
    """A future rate of an importer on magnets from China."""

    importer: str = Field(examples=["USA"])
    rate_pct: float | None = Field(None, ge=0, le=HIGHEST_RATE_PCT, description="Total rate; or")
    add_points: float | None = Field(
        None,
        ge=-HIGHEST_RATE_PCT,
        le=HIGHEST_RATE_PCT,
        description="percentage points added.",
    )
    announced_on: Day | None = Field(None, description="The day of the forecast by default.")
    effective_from: Day
    effective_to: Day | None = None


class ScenarioText(_Part):
    """A scenario as it is written."""

    name: Text = Field(min_length=1)
    description: Text = ""
    events: list[ScenarioAct] = Field([], max_length=_MOST_ENTRIES)
    tariffs: list[ScenarioTariff] = Field([], max_length=_MOST_ENTRIES)

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not {"events", "tariffs"} & self.model_fields_set:
            raise WrongFieldError(
                message("Neither events nor tariffs are given. Write one of them.")
            )
        return self


Cell = str | float | pd.Timestamp | None


@dataclass(frozen=True, slots=True)
class Act:
    """A new act, or other dates of a known one."""

    event_id: str
    given: Mapping[str, Cell]
    """Changed columns of a known act, or all columns of a new one."""
    announced_on: pd.Timestamp
    """The day traders learn of it."""
    is_new: bool


@dataclass(frozen=True, slots=True)
class TariffLever:
    """A future rate of an importer on magnets from China."""

    importer: str
    rate_pct: float | None
    """The whole rate in percent, or None where points are added."""
    add_points: float
    announced_on: pd.Timestamp
    effective_from: pd.Timestamp
    effective_to: pd.Timestamp | None


@dataclass(frozen=True, slots=True)
class Levers:
    """The hypothetical acts and tariff steps of a scenario."""

    acts: tuple[Act, ...] = ()
    tariffs: tuple[TariffLever, ...] = ()

    @property
    def all(self) -> tuple[Act | TariffLever, ...]:
        return (*self.acts, *self.tariffs)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A what-if question."""

    name: str
    description: str
    levers: Levers


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
    felt_before: pd.Timestamp | None = None
    """First day after the last known month: acts in force before it already show in the data."""

    @property
    def day(self) -> pd.Timestamp:
        return self.as_of.tz_convert("UTC").tz_localize(None).normalize().as_unit("us")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a part of a scenario."""

    place: Place
    text: Message


def checked_scenario(
    top: Mapping[str, object], context: ScenarioContext
) -> tuple[Scenario, list[Fault]]:
    """Return a scenario, of texts as written, and what is wrong with it.

    With faults the scenario is not to be used.
    """
    try:
        asked = ScenarioText.model_validate(top)
    except ValidationError as err:
        return _NOTHING, [Fault(one["loc"], words_of(one)) for one in err.errors()]
    faults: list[Fault] = []
    return Scenario(asked.name, asked.description, _levers(asked, context, faults)), faults


_NOTHING: Final = Scenario("", "", Levers())


_TEXTS: Final = {
    "missing": message("Missing. Fill it in."),
    "string_too_short": message("Missing. Fill it in."),
    "extra_forbidden": message("A scenario has no such name. Correct it or leave it out."),
    "float_parsing": message("%(value)s is not a number. Write it as 1000 or 1000.5."),
    "greater_than_equal": message("%(value)s is out of range. Expected %(ge)s or more."),
    "less_than_equal": message("%(value)s is out of range. Expected %(le)s or less."),
}
"""What pydantic finds wrong, by its type of error."""


def words_of(error: ErrorDetails) -> Message:
    """Return what pydantic found wrong."""
    context = error.get("ctx", {})
    if isinstance(wrong := context.get("error"), WrongFieldError):
        return wrong.text
    if error["type"] == "literal_error":
        return _not_listed(error["input"], re.findall("'(.+?)'", context["expected"]))
    key = _TEXTS[error["type"]].key if error["type"] in _TEXTS else "%(value)s: %(other)s."
    bounds: dict[str, Value] = {n: f"{context[n]:g}" for n in ("ge", "le") if n in context}
    value = shown(repr(error["input"]))
    return Message(key, {"value": value, "other": error["msg"], **bounds})


_Bad = Callable[[str, Message], None]
"""Notes what is wrong with a field of an entry."""


def _levers(asked: ScenarioText, context: ScenarioContext, faults: list[Fault]) -> Levers:
    def noted(kind: str, number: int) -> _Bad:
        return lambda name, text: faults.append(Fault((kind, number, name), text))

    names = [act.event_id for act in asked.events]
    for number, name in enumerate(names):
        if name in names[:number]:
            twice = message("%(act)s is changed twice. Give all its changes once.", act=name)
            noted("events", number)("event_id", twice)
    return Levers(
        tuple(
            _act(one, context, noted("events", number)) for number, one in enumerate(asked.events)
        ),
        tuple(
            _tariff(one, context, noted("tariffs", number))
            for number, one in enumerate(asked.tariffs)
        ),
    )


def _act(act: ScenarioAct, context: ScenarioContext, bad: _Bad) -> Act:
    match = context.events.loc[context.events["event_id"] == act.event_id]
    known = {str(name): value for name, value in match.iloc[0].items()} if len(match) else {}
    given = _days_of(act, ACT_DAYS, known, context, bad)
    given_words = {name: getattr(act, name) for name in _ACT_WORDS}
    words = {
        name: ";".join(value) if isinstance(value, list) else value
        for name, value in given_words.items()
        if value is not None
    }
    announced = given.get("announced_on", context.day)
    if known:
        # The act keeps its own announcement; the given day is that of its new dates.
        given.pop("announced_on", None)
        for name, day in given.items():
            if day != known.get(name):
                _check_follows(name, day, announced, bad)
        _check_past({**words, **given}, known, context, bad)
    else:
        _check_new(act, bad)
        easing = words.get("instrument") in _EASING
        direction = "easing" if easing else "restrictive"
        words = {"direction": direction, **words}
        given["announced_on"] = announced
    whole: dict[str, object] = {**known, **words, **given}
    if act.destinations and words["destinations"] != known.get("destinations"):
        _check_in("destinations", act.destinations, context.destinations, bad)
    _check_order(given, known, bad)
    if act.kept_pct is not None and not (
        whole.get("instrument") in _STOPPING and whole["direction"] == "restrictive"
    ):
        bad(
            "kept_pct",
            message(
                "A relaxation blocks nothing. Leave this empty, or choose a licensing requirement "
                "or a ban."
            ),
        )
    days = [whole.get(name) for name in ("effective_from", "suspended_to")]
    is_ahead = any(isinstance(day, pd.Timestamp) and day > context.day for day in days)
    if act.probability is not None and not (is_ahead and whole["direction"] == "restrictive"):
        bad(
            "probability",
            message(
                "Only a restriction that is still to begin, or to return, has a probability. Leave "
                "this empty."
            ),
        )
    assumed = _assumed(act, bad, is_new=not known)
    return Act(act.event_id, {**words, **given, **assumed}, announced, is_new=not known)


def _assumed(act: ScenarioAct, bad: _Bad, *, is_new: bool) -> dict[str, Cell]:
    """Return what is assumed of an act; a new ban lets nothing pass unless stated otherwise."""
    is_licence = is_new and act.instrument == "export_control" and act.kept_pct is None
    if act.strictness and not is_licence:
        bad(
            "strictness",
            message(
                "Only a new licensing requirement without a share that passes is as strict as a "
                "past one. Leave this empty."
            ),
        )
    is_ban = is_new and act.instrument == "export_ban"
    kept = 0.0 if act.kept_pct is None and is_ban else act.kept_pct
    shares = {"kept_pct": kept, "probability": act.probability, "diverted_pct": act.diverted_pct}
    numbers = {name: float("nan") if share is None else share for name, share in shares.items()}
    return {**numbers, "strictness": act.strictness} if act.strictness else {**numbers}


def _tariff(step: ScenarioTariff, context: ScenarioContext, bad: _Bad) -> TariffLever:
    _check_in("importer", [step.importer], context.importers, bad)
    if (step.rate_pct is None) == (step.add_points is None):
        bad("rate_pct", message("Give either the total rate or the points added."))
    days = _days_of(step, ("announced_on", "effective_from", "effective_to"), {}, context, bad)
    _check_order(days, {}, bad)
    return TariffLever(
        step.importer,
        step.rate_pct,
        step.add_points or 0.0,
        days.get("announced_on", context.day),
        days["effective_from"],
        days.get("effective_to"),
    )


def _days_of(
    part: BaseModel,
    names: Sequence[str],
    known: Mapping[str, object],
    context: ScenarioContext,
    bad: _Bad,
) -> dict[str, pd.Timestamp]:
    """Return the days that are given; those before the as_of are noted, unless the act has them."""
    days = {}
    for name in names:
        if (value := getattr(part, name)) is None:
            continue
        days[name] = day = pd.Timestamp(value).as_unit("us")
        if day < context.day and day != known.get(name):
            bad(
                name,
                message(
                    "%(day)s is before %(first)s, the date of the forecast. Enter that date or a "
                    "later one.",
                    day=f"{day:%Y-%m-%d}",
                    first=f"{context.day:%Y-%m-%d}",
                ),
            )
    return days


def _check_in(name: str, values: Sequence[str], allowed: Collection[str], bad: _Bad) -> None:
    for value in values:
        if value not in allowed:
            bad(name, _not_listed(value, allowed))


def _not_listed(value: object, allowed: Collection[str]) -> Message:
    return message(
        "%(value)s is not in the list. Choose one of %(allowed)s.",
        value=shown(repr(value)),
        allowed=", ".join(sorted(allowed)),
    )


def _check_follows(name: str, day: object, first: object, bad: _Bad) -> None:
    if isinstance(day, pd.Timestamp) and isinstance(first, pd.Timestamp) and day < first:
        bad(
            name,
            message(
                "%(day)s is before %(first)s, the date it follows. Enter that date or a later one.",
                day=f"{day:%Y-%m-%d}",
                first=f"{first:%Y-%m-%d}",
            ),
        )


def _check_past(
    values: Mapping[str, object], known: Mapping[str, object], context: ScenarioContext, bad: _Bad
) -> None:
    """Note changes to an act that already shows in the data: it can only end or be suspended."""
    begun, felt = known.get("effective_from"), context.felt_before
    if felt is None or not isinstance(begun, pd.Timestamp) or begun >= felt:
        return
    for name in ("effective_from", *_ACT_WORDS):
        if name in values and values[name] != known.get(name):
            text = message(
                "Months have felt this act since %(day)s. End or suspend it instead.",
                day=f"{begun:%Y-%m-%d}",
            )
            bad(name, text)


def _check_new(act: ScenarioAct, bad: _Bad) -> None:
    if any(getattr(act, name) is None for name in _NEW_NEEDS):
        text = message(
            "%(act)s is not a known act. Choose one that is; a new one needs %(fields)s.",
            act=repr(act.event_id),
            fields=", ".join(_NEW_NEEDS),
        )
        bad("event_id", text)
    elif not _NEW_NAME.fullmatch(act.event_id):
        text = message(
            "%(value)s is not a name of up to 80 letters, digits, dots, hyphens and underscores.",
            value=repr(act.event_id),
        )
        bad("event_id", text)


def _check_order(given: Mapping[str, object], known: Mapping[str, object], bad: _Bad) -> None:
    """Note an end before its start, and an act in force before it is announced."""
    days = {**known, **given}
    new = {name for name, day in given.items() if day != known.get(name)}
    pairs = (("effective_from", "effective_to"), ("suspended_from", "suspended_to"))
    for first, last in (*pairs, ("announced_on", "effective_from")):
        if new & {first, last}:
            _check_follows(last, days.get(last), days.get(first), bad)
    if "suspended_to" in new and not isinstance(days.get("suspended_from"), pd.Timestamp):
        bad("suspended_to", message("No suspension is known. Give suspended_from as well."))
