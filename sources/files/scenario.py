"""Scenarios: acts and tariff steps that somebody asks about, checked line by line.

A scenario stands on top of what is known at an as_of. Nothing of it is ever stored.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd
import yaml

from sources.bundled.tariff_rates import HIGHEST_RATE_PCT
from sources.files.csv_table import Problems, Row
from sources.files.yaml_table import composed, rows_of
from store.errors import DataError
from store.vocabulary import INSTRUMENTS

MOST_ENTRIES: Final = 50
"""Acts and tariff steps that one scenario may hold."""

MOST_BYTES: Final = 64_000

ACT_DAYS: Final = (
    "announced_on", "effective_from", "effective_to", "suspended_from", "suspended_to",
)  # fmt: skip
_ACT_WORDS: Final = ("instrument", "direction", "destinations", "products")
_ACT: Final = ("event_id", *ACT_DAYS, *_ACT_WORDS, "kept_pct")
_TARIFF_DAYS: Final = ("announced_on", "effective_from", "effective_to")
_TARIFF: Final = ("importer", "rate_pct", "add_points", *_TARIFF_DAYS)

_EASING: Final = frozenset(
    {"tariff_decrease", "export_licence_relaxation", "truce", "trade_talks", "supply_deal"}
)
DEFAULT_PRODUCTS: Final = "magnets"
_STOPPING: Final = frozenset({"export_ban", "export_control"})
_NEW_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII)

Cell = str | float | pd.Timestamp | None


@dataclass(frozen=True, slots=True)
class Act:
    """A new act, or other dates of a known one."""

    event_id: str
    given: Mapping[str, Cell]
    """What differs from the known act, or all there is of a new one, by column of the events."""
    announced_on: pd.Timestamp
    """From when it can be acted on."""
    is_new: bool


@dataclass(frozen=True, slots=True)
class TariffLever:
    """A rate on magnets from China that an importer charges in days to come."""

    importer: str
    rate_pct: float | None
    """The whole rate in percent, or None where points are added."""
    add_points: float
    announced_on: pd.Timestamp
    effective_from: pd.Timestamp
    effective_to: pd.Timestamp | None


@dataclass(frozen=True, slots=True)
class Levers:
    """What is put on top of what is known."""

    acts: tuple[Act, ...] = ()
    tariffs: tuple[TariffLever, ...] = ()

    @property
    def all(self) -> tuple[Act | TariffLever, ...]:
        """Return acts and tariff steps together."""
        return (*self.acts, *self.tariffs)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A question: what if."""

    name: str
    description: str
    levers: Levers
    against: Levers | None
    """What to compare with instead of what is known; None for what is known."""


@dataclass(frozen=True, slots=True)
class ScenarioContext:
    """What a scenario may speak of."""

    as_of: pd.Timestamp
    events: pd.DataFrame
    """Policy events as known, one row an act (store contract)."""
    destinations: Collection[str]
    """Series that are forecast, sums among them."""
    importers: Collection[str]
    """Who charges tariffs on them."""
    felt_before: pd.Timestamp | None = None
    """First day after the last month known: acts in force before it have been felt."""

    @property
    def day(self) -> pd.Timestamp:
        """Return the day of the as_of, without time zone like all days."""
        return self.as_of.tz_convert("UTC").tz_localize(None).normalize().as_unit("us")


def read_scenario(name: str, content: bytes, ground: ScenarioContext) -> Scenario:
    """Return a scenario from YAML (or JSON, which is YAML).

    Args:
        name: Of the file, for messages.
        content: The file.
        ground: What it may speak of.

    Raises:
        DataError: It is empty, too large, no such file, or contradicts itself or the calendar;
            names the lines.
    """
    if len(content) > MOST_BYTES:
        raise DataError(
            f"{name} has {len(content):,} bytes. Expected at most {MOST_BYTES:,}. "
            "Ask for less at once; nothing was computed."
        )
    top = composed(name, content)
    if not isinstance(top, yaml.MappingNode) or not top.value:
        raise DataError(
            f"{name} is empty or no list of names and values. Expected name, and events or "
            "tariffs, as in scenarios/. Write them; nothing was computed."
        )
    problems = Problems(name)
    parts = _parts(top, ("name", "description", "events", "tariffs", "against"), problems)
    levers = _levers(parts, ground, problems)
    against = _against(parts.get("against"), ground, problems)
    if not {"events", "tariffs"} & set(parts):
        problems.add(top.start_mark.line + 1, "neither events nor tariffs: nothing is asked")
    title, description = _words(parts.get("name")), _words(parts.get("description"))
    if not title:
        problems.add(top.start_mark.line + 1, "name: not filled")
    if not (title + description).isprintable():
        problems.add(top.start_mark.line + 1, "name or description: not printable text")
    problems.raise_if_any()
    return Scenario(title, description, levers, against)


def _parts(
    top: yaml.MappingNode, allowed: Sequence[str], problems: Problems
) -> dict[str, yaml.Node]:
    """Return the values of a mapping by name; unknown and repeated names are noted."""
    found: dict[str, yaml.Node] = {}
    for key, value in top.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name not in allowed:
            problems.add(line, f"name {name!r}: not one of {', '.join(allowed)}")
        elif name in found:
            problems.add(line, f"name {name!r}: given twice")
        else:
            found[name] = value
    return found


def _words(node: yaml.Node | None) -> str:
    return " ".join(str(node.value).split()) if isinstance(node, yaml.ScalarNode) else ""


def _against(node: yaml.Node | None, ground: ScenarioContext, problems: Problems) -> Levers | None:
    if node is None:
        return None
    if not isinstance(node, yaml.MappingNode):
        problems.add(node.start_mark.line + 1, "against: not events and tariffs")
        return None
    return _levers(_parts(node, ("events", "tariffs"), problems), ground, problems)


def _levers(parts: Mapping[str, yaml.Node], ground: ScenarioContext, problems: Problems) -> Levers:
    acts = [_act(row, ground) for row in _rows(parts, "events", _ACT, problems)]
    tariffs = [_tariff(row, ground) for row in _rows(parts, "tariffs", _TARIFF, problems)]
    return Levers(tuple(filter(None, acts)), tuple(filter(None, tariffs)))


def _rows(
    parts: Mapping[str, yaml.Node], name: str, columns: Sequence[str], problems: Problems
) -> tuple[Row, ...]:
    """Return the entries of a list by name; two on the same act are noted."""
    if (node := parts.get(name)) is None:
        return ()
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.SequenceNode):
        problems.add(line, f"{name}: not a list of entries")
        return ()
    if len(node.value) > MOST_ENTRIES:
        problems.add(line, f"{name}: {len(node.value)} entries are more than {MOST_ENTRIES}")
        return ()
    rows = rows_of(node.value, columns, problems)
    seen: set[str] = set()
    for row in rows:
        if (event_id := row.cells.get("event_id", "")) and event_id in seen:
            row.bad("event_id", "named once in a list")
        seen.add(event_id)
        for column, text in row.cells.items():
            if not text.isprintable():
                row.bad(column, "printable text on one line")
    return tuple(row for row in rows if "".join(row.cells.values()).isprintable())


def _days(
    row: Row, names: Sequence[str], ground: ScenarioContext, known: Mapping[str, object]
) -> None:
    """Note days before the as_of, unless the act has them already."""
    for name in names:
        day = row.day(name)
        if day is not None and day < ground.day and day != known.get(name):
            row.bad(name, f"on or after the day asked about, {ground.day:%Y-%m-%d}")


def _act(row: Row, ground: ScenarioContext) -> Act | None:
    event_id = row.text("event_id", required=True)
    match = ground.events.loc[ground.events["event_id"] == event_id]
    known: dict[str, object] = {str(k): v for k, v in match.iloc[0].items()} if len(match) else {}
    _days(row, ACT_DAYS, ground, known)
    given = {name: row.day(name) for name in ACT_DAYS if row.text(name)}
    words = {name: row.text(name) for name in _ACT_WORDS if row.text(name)}
    announced = given.get("announced_on") or ground.day
    if known:
        # The act itself stays announced when it was: the day is that of its new dates.
        given.pop("announced_on", None)
        for name, day in given.items():
            if day is not None and day != known.get(name) and day < announced:
                row.bad(name, f"on or after announced_on {announced:%Y-%m-%d}")
        _check_past(row, {**words, **given}, known, ground)
    else:
        _check_new(row, ground)
        words = {"products": DEFAULT_PRODUCTS, **words}
        words.setdefault("direction", _direction(words.get("instrument", "")))
        given["announced_on"] = announced
    _check_words(row, words, known, ground)
    kept = row.number("kept_pct", low=0, high=100, empty=True)
    _check_order(row, given, known)
    if not row.is_sound:
        return None
    told: dict[str, Cell] = {**words, **given, "kept_pct": kept}
    return Act(event_id, told, announced, is_new=not known)


def _check_past(
    row: Row, told: Mapping[str, Cell], known: Mapping[str, object], ground: ScenarioContext
) -> None:
    """Note what would rewrite an act that months have felt: it can end or be suspended."""
    begun = known.get("effective_from")
    if ground.felt_before is None or not isinstance(begun, pd.Timestamp):
        return
    if begun >= ground.felt_before:
        return
    for name in ("effective_from", *_ACT_WORDS):
        if name in told and told[name] != known.get(name):
            row.bad(
                name, f"what months have felt since {begun:%Y-%m-%d}: end or suspend it instead"
            )


def _check_words(
    row: Row, words: Mapping[str, str], known: Mapping[str, object], ground: ScenarioContext
) -> None:
    if "instrument" in words:
        row.choice("instrument", INSTRUMENTS)
    if row.text("direction"):
        row.choice("direction", ("restrictive", "easing", "neutral"))
    if "destinations" in words and words["destinations"] != known.get("destinations"):
        _check_places(row, ground)
    kind = {**known, **words}
    stops = kind.get("instrument") in _STOPPING and kind.get("direction") == "restrictive"
    if row.text("kept_pct") and not stops:
        row.bad(
            "kept_pct", f"for a restrictive {' or '.join(sorted(_STOPPING))}, the acts it is of"
        )


def _check_new(row: Row, ground: ScenarioContext) -> None:
    if not _NEW_NAME.fullmatch(row.text("event_id")):
        row.bad("event_id", "a name of up to 80 letters, digits, dots, hyphens and underscores")
    for name in ("instrument", "destinations", "effective_from"):
        if not row.text(name):
            row.bad(name, f"filled, as a new act needs ({_nearest(row, ground)})")


def _nearest(row: Row, ground: ScenarioContext) -> str:
    near = [name for name in ground.events["event_id"] if row.text("event_id")[:7] == name[:7]]
    return f"known acts of that month: {', '.join(near[:3])}" if near else "no act is known so"


def _direction(instrument: str) -> str:
    return "easing" if instrument in _EASING else "restrictive"


def _check_places(row: Row, ground: ScenarioContext) -> None:
    for place in row.text("destinations").split(";"):
        if place not in ground.destinations:
            row.bad("destinations", f"a list of {', '.join(sorted(ground.destinations))}")
            return


def _check_order(row: Row, given: Mapping[str, object], known: Mapping[str, object]) -> None:
    """Note an end before its start, and an act in force before it is announced.

    What the known act has already is not the scenario's doing.
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
        row.bad("suspended_to", "told without suspended_from: no suspension is known")


def _tariff(row: Row, ground: ScenarioContext) -> TariffLever | None:
    importer = row.choice("importer", ground.importers)
    rate = row.number("rate_pct", low=0, high=HIGHEST_RATE_PCT, empty=True)
    points = row.number("add_points", low=-HIGHEST_RATE_PCT, high=HIGHEST_RATE_PCT, empty=True)
    if pd.isna(rate) == pd.isna(points):
        row.bad("rate_pct", "given, or else add_points, and not both")
    row.text("effective_from", required=True)
    _days(row, _TARIFF_DAYS, ground, {})
    days = {name: row.day(name) for name in _TARIFF_DAYS}
    _check_order(row, days, {})
    begin = days["effective_from"]
    if not row.is_sound or begin is None:
        return None
    return TariffLever(
        importer,
        None if pd.isna(rate) else rate,
        0.0 if pd.isna(points) else points,
        days["announced_on"] or ground.day,
        begin,
        days["effective_to"],
    )
