"""Policy events and tariffs as versions: the known facts of each act or rate, and since when."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from sources.bundled.notation import COUNTRIES, parse_areas, parse_covers
from sources.files.file_reader import Row, read_table
from store.facts.batch import FileRows
from store.schema.scenario import HIGHEST_RATE_PCT
from store.vocabulary import EU27, INSTRUMENTS, UNKNOWN

COVERAGE: Final = ("covers", "covered_share", "covered_because")
"""What an act covers: HS codes or names of ``COVERED``, the share of trade, and its reason."""

_EVENT_WORDS: Final = (
    "issuer", "legal_reference", "products", "summary", "source_urls", "note",
)  # fmt: skip

EVENT_COLUMNS: Final = (
    "event_id", "announced_on", "effective_from", "effective_to", "suspended_from", "suspended_to",
    "end_known_on", "suspension_known_on", "instrument", "direction", "severity", "destinations",
    "confidence", "evidence", *COVERAGE, *_EVENT_WORDS,
)  # fmt: skip

Record = dict[str, object]


def policy_events(path: Path, *, materials: bool = False) -> FileRows:
    """Acts on magnets or, with a column ``material``, on other minerals; one row per version."""
    analog_columns = ("material", "exempt", *(n for n in EVENT_COLUMNS if n != "covers"))
    table = read_table(path, analog_columns if materials else EVENT_COLUMNS)
    table.note_repeats(["event_id"])
    versions = [version for row in table.rows for version in _act_versions(row)]
    open_acts = {str(act["event_id"]) for act in versions if act.get("covers") == UNKNOWN}
    notes = tuple(  # shown after "left out"
        f"{act} from the forecast: what it covers is unknown" for act in sorted(open_acts)
    )
    name = "analog_events" if materials else "policy_events"
    return table.file(name, name, versions, notes)


def latest_of(
    announced: pd.Timestamp, stated_day: pd.Timestamp | None, last_day: pd.Timestamp | None
) -> pd.Timestamp | None:
    """Day an end became known: as stated, else its last day, never before the announcement."""
    day = stated_day if stated_day is not None else last_day
    return None if day is None else max(day, announced)


def _act_versions(row: Row) -> list[Record]:
    """Versions of one act: its announcement, then each later change of its dates."""
    announced = row.day("announced_on", required=True)
    begin, end = row.interval("effective_from", "effective_to")
    suspended, resumed = row.interval("suspended_from", "suspended_to")
    end_known, suspension_known = row.day("end_known_on"), row.day("suspension_known_on")
    act = _act(row)
    if announced is None:
        return []
    end_from = latest_of(announced, end_known, end)
    halt_from = latest_of(announced, suspension_known, suspended)
    later = {
        "effective_to": (end, end_from),
        "suspended_from": (suspended, halt_from),
        "suspended_to": (resumed, halt_from),
    }
    dates = {"announced_on": announced, "effective_from": begin}
    return _versions({**act, **dates}, announced, later)


def _versions(
    fixed: Record, first_day: pd.Timestamp, later: Mapping[str, tuple[object, pd.Timestamp | None]]
) -> list[Record]:
    """Versions by the day more became known; ``later`` has values by column, each with its day."""
    moments = sorted({first_day, *(day for _, day in later.values() if day is not None)})
    return [
        {
            **fixed,
            **{
                name: value if day is not None and day <= moment else None
                for name, (value, day) in later.items()
            },
            "available_at": moment.tz_localize("UTC"),
        }
        for moment in moments
    ]


def _act(row: Row) -> Record:
    words = {name: row.text(name) for name in _EVENT_WORDS}
    if "material" in row.cells:
        words |= {"material": row.text("material", required=True), "exempt": row.text("exempt")}
    covers = row.parsed("covers", parse_covers) if "covers" in row.cells else ""
    severity = row.choice("severity", ("0", "1", "2", "3"))
    return {
        "event_id": row.text("event_id", required=True),
        "instrument": row.choice("instrument", INSTRUMENTS),
        "direction": row.choice("direction", ("restrictive", "easing", "neutral")),
        "severity": int(severity) if severity.isdigit() else -1,
        "destinations": row.parsed("destinations", parse_areas),
        "confidence": row.choice("confidence", ("high", "medium", "low")),
        "evidence": row.choice("evidence", ("primary", "secondary", "background", "scheduled")),
        "covers": covers,
        "covered_share": row.number("covered_share", low=0, high=1, empty=covers == UNKNOWN),
        "covered_because": row.text("covered_because", required=covers != UNKNOWN),
        **words,
    }


TARIFF_COLUMNS: Final = (
    "importer", "origin", "component", "rate_pct", "effective_from", "effective_to",
    "announced_on", "end_known_on", "legal_reference", "product_scope", "source_url", "confidence",
    "note",
)  # fmt: skip

TOTAL: Final = "TOTAL_"
"""Prefix of components that are sums of others; such lines are not loaded."""

_IMPORTERS: Final = COUNTRIES | {EU27}

_TARIFF_KEY: Final = ("importer", "origin", "component", "product_scope", "effective_from")

_TARIFF_WORDS: Final = ("legal_reference", "source_url", "note")


def tariff_rates(path: Path) -> FileRows:
    """Tariff components of importers, one row per version; sums are left out."""
    table = read_table(path, TARIFF_COLUMNS)
    table.note_repeats(_TARIFF_KEY)
    steps = [row for row in table.rows if not row.text("component").startswith(TOTAL)]
    versions = [version for row in steps for version in _step_versions(row)]
    sums = len(table.rows) - len(steps)
    ignored = (f"{sums} lines {TOTAL}*: sums of other lines",) if sums else ()
    return table.file("tariff_rates", "tariff_steps", versions, ignored)


def _step_versions(row: Row) -> list[Record]:
    """Versions of one step: from its announcement, else its first day, and with its end."""
    begin, end = row.interval("effective_from", "effective_to")
    row.text("effective_from", required=True)
    announced, end_known = row.day("announced_on"), row.day("end_known_on")
    step = {
        "importer": row.choice("importer", _IMPORTERS),
        "origin": row.choice("origin", COUNTRIES),
        "component": row.text("component", required=True),
        "product_scope": row.text("product_scope", required=True),
        "rate_pct": row.number("rate_pct", low=0, high=HIGHEST_RATE_PCT, empty=True),
        "confidence": row.choice("confidence", ("high", "medium", "low")),
        **{name: row.text(name) for name in _TARIFF_WORDS},
    }
    first_day = announced if announced is not None else begin
    if first_day is None or begin is None:
        return []
    dates = {"effective_from": begin, "announced_on": announced}
    return _versions(
        {**step, **dates}, first_day, {"effective_to": (end, latest_of(first_day, end_known, end))}
    )
