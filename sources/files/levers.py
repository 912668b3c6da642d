"""The levers of a scenario: acts and tariff steps, checked entry by entry."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from sources.files.csv_table import Row
from store.vocabulary import INSTRUMENTS

ACT_DAYS: Final = (
    "announced_on", "effective_from", "effective_to", "suspended_from", "suspended_to",
)  # fmt: skip

_ACT_WORDS: Final = ("instrument", "direction", "destinations", "products")

ACT_COLUMNS: Final = ("event_id", *ACT_DAYS, *_ACT_WORDS, "kept_pct", "probability")

_TARIFF_DAYS: Final = ("announced_on", "effective_from", "effective_to")

TARIFF_COLUMNS: Final = ("importer", "rate_pct", "add_points", *_TARIFF_DAYS)

_EASING: Final = frozenset(
    {"tariff_decrease", "export_licence_relaxation", "truce", "trade_talks", "supply_deal"}
)

DEFAULT_PRODUCTS: Final = "magnets"

HIGHEST_RATE_PCT: Final = 1000.0
"""A tariff above this is taken for a typing error."""

_STOPPING: Final = frozenset({"export_ban", "export_control"})

_NEW_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)


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
        """Return acts and tariff steps together."""
        return (*self.acts, *self.tariffs)


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
        """Return the date of the as_of, without time zone."""
        return self.as_of.tz_convert("UTC").tz_localize(None).normalize().as_unit("us")


def _days(
    row: Row, names: Sequence[str], context: ScenarioContext, known: Mapping[str, object]
) -> None:
    """Note days before the as_of, unless the known act has them."""
    for name in names:
        day = row.day(name)
        if day is not None and day < context.day and day != known.get(name):
            row.bad(name, f"on or after the day asked about, {context.day:%Y-%m-%d}")


def read_act(row: Row, context: ScenarioContext) -> Act | None:
    """Return the act of an entry; None where something is wrong with it, which is noted."""
    event_id = row.text("event_id", required=True)
    match = context.events.loc[context.events["event_id"] == event_id]
    known: dict[str, object] = {str(k): v for k, v in match.iloc[0].items()} if len(match) else {}
    _days(row, ACT_DAYS, context, known)
    given = {name: row.day(name) for name in ACT_DAYS if row.text(name)}
    words = {name: row.text(name) for name in _ACT_WORDS if row.text(name)}
    announced = given.get("announced_on") or context.day
    if known:
        # The act keeps its own announcement; the given day is that of its new dates.
        given.pop("announced_on", None)
        for name, day in given.items():
            if day is not None and day != known.get(name) and day < announced:
                row.bad(name, f"on or after announced_on {announced:%Y-%m-%d}")
        _check_past(row, {**words, **given}, known, context)
    else:
        _check_new(row, context)
        words = {"products": DEFAULT_PRODUCTS, **words}
        words.setdefault("direction", _direction(words.get("instrument", "")))
        given["announced_on"] = announced
    _check_words(row, words, known, context)
    kept = row.number("kept_pct", low=0, high=100, empty=True)
    chance = row.number("probability", low=0, high=1, empty=True)
    _check_order(row, given, known)
    if row.text("probability"):
        _check_to_come(row, {**known, **words, **given}, context)
    if not row.is_valid:
        return None
    values: dict[str, Cell] = {**words, **given, "kept_pct": kept, "probability": chance}
    return Act(event_id, values, announced, is_new=not known)


def _check_past(
    row: Row, values: Mapping[str, Cell], known: Mapping[str, object], context: ScenarioContext
) -> None:
    """Note changes to an act that already shows in the data: it can only end or be suspended."""
    begun = known.get("effective_from")
    if context.felt_before is None or not isinstance(begun, pd.Timestamp):
        return
    if begun >= context.felt_before:
        return
    for name in ("effective_from", *_ACT_WORDS):
        if name in values and values[name] != known.get(name):
            row.bad(
                name, f"what months have felt since {begun:%Y-%m-%d}: end or suspend it instead"
            )


def _check_words(
    row: Row, words: Mapping[str, str], known: Mapping[str, object], context: ScenarioContext
) -> None:
    if "instrument" in words:
        row.choice("instrument", INSTRUMENTS)
    if row.text("direction"):
        row.choice("direction", ("restrictive", "easing", "neutral"))
    if "destinations" in words and words["destinations"] != known.get("destinations"):
        _check_places(row, context)
    kind = {**known, **words}
    stops = kind.get("instrument") in _STOPPING and kind.get("direction") == "restrictive"
    if row.text("kept_pct") and not stops:
        row.bad(
            "kept_pct", f"for a restrictive {' or '.join(sorted(_STOPPING))}, the acts it is of"
        )


def _check_to_come(row: Row, act: Mapping[str, object], context: ScenarioContext) -> None:
    """Note a probability of what has begun already: it can only be given to what is to come."""
    days = [act.get(name) for name in ("effective_from", "suspended_to")]
    ahead = [day for day in days if isinstance(day, pd.Timestamp) and day > context.day]
    if act.get("direction") != "restrictive" or not ahead:
        row.bad("probability", "for a restriction that is still to begin, or to return")


def _check_new(row: Row, context: ScenarioContext) -> None:
    if row.text("probability") and not row.text("instrument"):
        row.bad("event_id", f"an act known on {context.day:%Y-%m-%d} ({_nearest(row, context)})")
        return
    if not _NEW_NAME.fullmatch(row.text("event_id")):
        row.bad("event_id", "a name of up to 80 letters, digits, dots, hyphens and underscores")
    for name in ("instrument", "destinations", "effective_from"):
        if not row.text(name):
            row.bad(name, f"filled, as a new act needs ({_nearest(row, context)})")


def _nearest(row: Row, context: ScenarioContext) -> str:
    near = [name for name in context.events["event_id"] if row.text("event_id")[:7] == name[:7]]
    return f"known acts of that month: {', '.join(near[:3])}" if near else "no act is known so"


def _direction(instrument: str) -> str:
    return "easing" if instrument in _EASING else "restrictive"


def _check_places(row: Row, context: ScenarioContext) -> None:
    for place in row.text("destinations").split(";"):
        if place not in context.destinations:
            row.bad("destinations", f"a list of {', '.join(sorted(context.destinations))}")
            return


def _check_order(row: Row, given: Mapping[str, object], known: Mapping[str, object]) -> None:
    """Note an end before its start, and an act in force before it is announced.

    Dates of the known act itself are not checked.
    """
    days = {**known, **given}
    new = {name for name, day in given.items() if day != known.get(name)}
    pairs = (("effective_from", "effective_to"), ("suspended_from", "suspended_to"))
    for first, last in (*pairs, ("announced_on", "effective_from")):
        begin, end = days.get(first), days.get(last)
        if not new & {first, last}:
            continue
        if isinstance(begin, pd.Timestamp) and isinstance(end, pd.Timestamp) and end < begin:
            row.bad(last, f"on or after {first} {begin:%Y-%m-%d}")
    if "suspended_to" in new and not isinstance(days.get("suspended_from"), pd.Timestamp):
        row.bad("suspended_to", "accepted without suspended_from: no suspension is known")


def read_tariff(row: Row, context: ScenarioContext) -> TariffLever | None:
    """Return the tariff step of an entry; None where something is wrong, which is noted."""
    importer = row.choice("importer", context.importers)
    rate = row.number("rate_pct", low=0, high=HIGHEST_RATE_PCT, empty=True)
    points = row.number("add_points", low=-HIGHEST_RATE_PCT, high=HIGHEST_RATE_PCT, empty=True)
    if pd.isna(rate) == pd.isna(points):
        row.bad("rate_pct", "given, or else add_points, and not both")
    row.text("effective_from", required=True)
    _days(row, _TARIFF_DAYS, context, {})
    days = {name: row.day(name) for name in _TARIFF_DAYS}
    _check_order(row, days, {})
    begin = days["effective_from"]
    if not row.is_valid or begin is None:
        return None
    return TariffLever(
        importer,
        None if pd.isna(rate) else rate,
        0.0 if pd.isna(points) else points,
        days["announced_on"] or context.day,
        begin,
        days["effective_to"],
    )
