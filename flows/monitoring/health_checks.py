"""Health checks: which facts raise an alarm; each alarm has a paragraph in docs/operations.md."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from flows.context.stores import MAIN_JOB, RunMarker, table_run
from models.monitoring import Reading
from store.errors import first_few
from store.facts.recorded import WAITED

Alarm = Literal[
    "database", "clock", "tampered", "held", "forecast", "late-data", "stale", "failed",
    "stuck", "champion", "models", "quarantine", "disk", "backup", "unwatched",
    "score-drift", "coverage-drift",
]  # fmt: skip

BROKEN: Final = 2
DEGRADED: Final = 1
FINE: Final = 0

LEVELS: Final = {FINE: "fine", DEGRADED: "stale or degraded", BROKEN: "broken"}

STUCK_HOURS: Final = 6
BACKUP_DAYS: Final = 8
"""A weekly backup, and a day for it to be late."""
LOW_BYTES: Final = 2 << 30
NO_BYTES: Final = 200 << 20


@dataclass(frozen=True, slots=True)
class OtherCommodity:
    """The newest forecast and run of a commodity other than magnets."""

    commodity: str
    forecast: str
    """Its moment, months and status; empty if there is none."""
    last_run: str
    """How its last run ended; empty if none is recorded."""


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What is known of the system at one moment; days are naive, moments are UTC."""

    now: pd.Timestamp
    unreadable: str = ""
    """Why the database cannot be read; empty if it can."""
    """Whether a restore was interrupted."""
    due: pd.Timestamp | None = None
    """First day of the last month whose detail was due."""
    due_on: pd.Timestamp | None = None
    owed: pd.Timestamp | None = None
    """First day of the last month whose days of grace are over."""
    owed_on: pd.Timestamp | None = None
    next_month: pd.Timestamp | None = None
    next_on: pd.Timestamp | None = None
    newest: pd.Timestamp | None = None
    """First day of the last month for which a figure of China is known."""
    forecast_as_of: pd.Timestamp | None = None
    last_write_at: pd.Timestamp | None = None
    last_run: str = ""
    last_run_at: pd.Timestamp | None = None
    champion: str = ""
    champion_trouble: str = ""
    """Why the champion cannot be loaded; empty if it can."""
    tampered: tuple[str, ...] = ()
    """Publications that do not match their digests."""
    held: tuple[str, ...] = ()
    """Publications held for review."""
    quarantined: int = 0
    unfinished: tuple[RunMarker, ...] = ()
    """Runs that failed or were killed and have not succeeded since."""
    readings: tuple[Reading, ...] = ()
    """Newest readings of drift and coverage."""
    watched: pd.Timestamp | None = None
    """Moment of the forecast that was published when they were taken."""
    free_bytes: int = 0
    mlflow_free_bytes: int | None = None
    """Free space for MLflow's files; None if they are on the same disk as home, or none exist."""
    backup_at: pd.Timestamp | None = None
    others: tuple[OtherCommodity, ...] = ()
    """Commodities other than magnets."""


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """An alarm, how bad it is and what is wrong."""

    alarm: Alarm
    code: int
    message: str


Found = tuple[Alarm, int, str]


def health_findings(facts: HealthFacts) -> Iterator[HealthFinding]:
    """Yield an alarm for everything that is wrong."""
    for found in _found(facts):
        yield HealthFinding(*found)


def _found(facts: HealthFacts) -> Iterator[Found]:
    if facts.unreadable:
        yield "database", BROKEN, facts.unreadable
    else:
        yield from _clock(facts)
        if facts.tampered:
            yield "tampered", BROKEN, first_few(facts.tampered)
        if facts.held:
            yield "held", DEGRADED, first_few(facts.held)
        yield from _freshness(facts)
        yield from _last_run(facts)
        yield from _models(facts)
        yield from _drift(facts)
        if facts.quarantined:
            yield "quarantine", DEGRADED, f"{facts.quarantined} refused files wait for review"
    yield from _machine(facts)


def _clock(facts: HealthFacts) -> Iterator[Found]:
    """Compare this machine's clock with the newest write on record."""
    last = facts.last_write_at
    if last is not None and last > facts.now + WAITED:
        message = (
            f"this machine's clock is at {facts.now:%Y-%m-%d %H:%M}, and the last write was on "
            f"{last:%Y-%m-%d %H:%M}: the clock was moved, and writes are refused"
        )
        yield "clock", DEGRADED, message


def _freshness(facts: HealthFacts) -> Iterator[Found]:
    """Compare figures and forecast with the release calendar."""
    if facts.forecast_as_of is None:
        yield "forecast", BROKEN, "no forecast was ever published"
    if facts.owed is None or facts.owed_on is None:
        return
    owed_on, forecast = facts.owed_on.tz_localize("UTC"), facts.forecast_as_of
    day, late = f"{owed_on:%Y-%m-%d}", (facts.now - owed_on).days
    if facts.newest is None or facts.newest < facts.owed:
        message = f"the figures of {facts.owed:%Y-%m} were due on {day} and are {late} days late"
        yield "late-data", DEGRADED, message
    if forecast is not None and forecast < owed_on:
        message = f"the forecast of {forecast:%Y-%m-%d} is older than the release of {day}"
        yield "stale", DEGRADED, f"{message}, {late} days ago"


def _last_run(facts: HealthFacts) -> Iterator[Found]:
    """Report how runs ended by the runs table, unless a marker tells more of the same run."""
    marked = {one.name for one in facts.unfinished}
    failed = [one.commodity for one in facts.others if one.last_run == "failed"]
    if failed := [code for code in failed if table_run(code) not in marked]:
        yield "failed", DEGRADED, f"the last run of {first_few(failed)} failed"
    if facts.last_run_at is None or MAIN_JOB in marked:
        return
    when = f"{facts.last_run_at:%Y-%m-%d %H:%M} UTC"
    hours = (facts.now - facts.last_run_at) / pd.Timedelta(hours=1)
    if facts.last_run == "failed":
        yield "failed", DEGRADED, f"the last run, of {when}, failed"
    elif facts.last_run == "running" and hours > STUCK_HOURS:
        yield "stuck", DEGRADED, f"the run of {when} has not ended for {hours:.0f} hours"


def _models(facts: HealthFacts) -> Iterator[Found]:
    """Report a champion that cannot publish."""
    if not facts.champion:
        yield "champion", DEGRADED, "no model is champion"
    elif facts.champion_trouble:
        yield "champion", DEGRADED, f"it cannot answer: {facts.champion_trouble}"


def _drift(facts: HealthFacts) -> Iterator[Found]:
    """Report the monitors' alarms, or that they have not measured the newest forecast."""
    newest = facts.forecast_as_of
    if newest is not None and (facts.watched is None or facts.watched < newest):
        message = f"the forecast of {newest:%Y-%m-%d} was not measured for drift"
        yield "unwatched", DEGRADED, message
    for one in facts.readings:
        if one.fired:
            yield one.monitor, DEGRADED, one.words


def _machine(facts: HealthFacts) -> Iterator[Found]:
    """Report processes, unfinished runs, disk and backup, which the database does not know."""
    for one in facts.unfinished:
        how = f"failed: {one.error}" if one.error else "was cut off before it ended"
        yield "failed", DEGRADED, f"{one.name}, begun {one.began_at}, {how}"
    for whose, free in (("home", facts.free_bytes), ("MLflow", facts.mlflow_free_bytes)):
        if free is not None and free < LOW_BYTES:
            code = BROKEN if free < NO_BYTES else DEGRADED
            yield "disk", code, f"{free / 1e9:.1f} GB are free on the disk of {whose}"
    if facts.backup_at is None:
        yield "backup", DEGRADED, "there is no backup"
    elif (age := facts.now - facts.backup_at) > pd.Timedelta(days=BACKUP_DAYS):
        yield "backup", DEGRADED, f"the last backup is {age.days} days old"
