"""System health: the facts, what is wrong, and one code for both.

:func:`examine` collects the facts, :mod:`flows.monitoring.health` decides what they mean and
docs/operations.md has the remedies.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Final, Literal

import pandas as pd
from sqlalchemy import Engine

from features.months import last_complete_month, month_start
from features.panel.statements import last_evidence_month
from flows.backup import last_backup
from flows.context.recipes import champion_of
from flows.context.stores import has_store, is_writing, store_to_read, was_lost
from models.monitoring import Reading
from sources.bundled.release_calendar import ReleaseCalendar
from sources.providers.registry import without_key
from store.archive import sqlite_damage
from store.asof import OBSERVATION_KEY, known_at
from store.database import sqlite_file
from store.errors import SHOWN, StoreError, first_few
from store.facts.reading import latest_forecast, read_calendar, read_observations, read_runs
from store.facts.reviews import read_quarantine
from store.messages import Message, Value, from_json, message, sentences
from store.publications.integrity import tampered
from store.publications.published import latest_readings
from store.publications.publishing import held_publications
from store.settings import Settings
from store.vocabulary import COMMODITY, WORLD

Alarm = Literal[
    "database", "tampered", "held", "forecast", "late-data", "stale", "failed",
    "stuck", "champion", "quarantine", "disk", "backup", "unwatched",
    "score-drift", "coverage-drift",
]  # fmt: skip

BROKEN: Final = 2
DEGRADED: Final = 1
FINE: Final = 0

LEVELS: Final = {
    FINE: message("magnetcast is fine."),
    DEGRADED: message("Something needs attention."),
    BROKEN: message("magnetcast is broken."),
}

STUCK_HOURS: Final = 6
BACKUP_DAYS: Final = 8
"""A weekly backup, and a day for it to be late."""
LOW_BYTES: Final = 2 << 30
NO_BYTES: Final = 200 << 20


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What is known of the system at one moment; days are naive, moments are UTC."""

    now: pd.Timestamp
    unreadable: str = ""
    """Why the database cannot be read; empty if it can."""
    due: pd.Timestamp | None = None
    """First day of the last month whose detail was due."""
    due_on: pd.Timestamp | None = None
    owed: pd.Timestamp | None = None
    """First day of the last month whose days of grace are over."""
    owed_on: pd.Timestamp | None = None
    next_month: pd.Timestamp | None = None
    next_on: pd.Timestamp | None = None
    newest: pd.Timestamp | None = None
    """First day of the last month for which a figure of China's exports to the world is known."""
    forecast_as_of: pd.Timestamp | None = None
    last_run: str = ""
    last_run_at: pd.Timestamp | None = None
    champion: Message | None = None
    champion_trouble: str = ""
    """Why the champion cannot be loaded; empty if it can."""
    tampered: tuple[Message, ...] = ()
    """Publications that do not match their digests."""
    held: tuple[Message, ...] = ()
    """Publications held for review."""
    quarantined: int = 0
    readings: tuple[Reading, ...] = ()
    """Newest readings of drift and coverage."""
    watched: pd.Timestamp | None = None
    """Moment of the forecast that was published when they were taken."""
    free_bytes: int = 0
    backup_at: pd.Timestamp | None = None
    failed: tuple[str, ...] = ()
    """Commodities other than magnets whose last run failed."""
    is_busy: bool = False
    """Whether a run or an ingest goes on, or may on another machine that shares the database."""
    unasked: tuple[str, ...] = ()
    """Sources that the schedule passes over, as their key is not set."""


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """An alarm, how bad it is and what is wrong."""

    alarm: Alarm
    code: int
    message: Message | str


Found = tuple[Alarm, int, Message | str]


def health_findings(facts: HealthFacts) -> Iterator[HealthFinding]:
    """Yield an alarm for everything that is wrong."""
    for found in _found(facts):
        yield HealthFinding(*found)


def _found(facts: HealthFacts) -> Iterator[Found]:
    if facts.unreadable:
        yield "database", BROKEN, facts.unreadable
    else:
        if facts.tampered:
            yield "tampered", BROKEN, sentences(*facts.tampered[:SHOWN])
        if facts.held:
            yield "held", DEGRADED, sentences(*facts.held[:SHOWN])
        yield from _freshness(facts)
        yield from _last_run(facts)
        yield from _models(facts)
        yield from _drift(facts)
        if facts.quarantined:
            waiting = message("%(files)s refused files wait for review.", files=facts.quarantined)
            yield "quarantine", DEGRADED, waiting
    yield from _machine(facts)


def _freshness(facts: HealthFacts) -> Iterator[Found]:
    if facts.forecast_as_of is None:
        yield "forecast", BROKEN, message("No forecast was ever published.")
    if facts.owed is None or facts.owed_on is None:
        return
    owed_on, forecast = facts.owed_on.tz_localize("UTC"), facts.forecast_as_of
    day, late = f"{owed_on:%Y-%m-%d}", (facts.now - owed_on).days
    if facts.newest is None or facts.newest < facts.owed:
        yield (
            "late-data",
            DEGRADED,
            message(
                "The figures of %(month)s were due on %(day)s and are %(late)s days late.",
                month=f"{facts.owed:%Y-%m}",
                day=day,
                late=late,
            ),
        )
    if forecast is not None and forecast < owed_on:
        yield (
            "stale",
            DEGRADED,
            message(
                "The forecast of %(day)s is older than the release of %(last_day)s, %(late)s days "
                "ago.",
                day=f"{forecast:%Y-%m-%d}",
                last_day=day,
                late=late,
            ),
        )


def _last_run(facts: HealthFacts) -> Iterator[Found]:
    if facts.failed:
        what = message("The last run of %(name)s failed.", name=first_few(facts.failed))
        yield "failed", DEGRADED, what
    if facts.last_run_at is None:
        return
    when = day_and_time(facts.last_run_at)
    hours = (facts.now - facts.last_run_at) / pd.Timedelta(hours=1)
    if facts.last_run == "failed":
        yield "failed", DEGRADED, message("The last run, of %(day)s %(time)s UTC, failed.", **when)
    elif facts.last_run == "running" and not facts.is_busy:
        what = message("The last run, of %(day)s %(time)s UTC, was cut off.", **when)
        yield "failed", DEGRADED, what
    elif facts.last_run == "running" and hours > STUCK_HOURS:
        yield (
            "stuck",
            DEGRADED,
            message(
                "The run of %(day)s %(time)s UTC has not ended for %(hours)s hours.",
                hours=round(hours),
                **when,
            ),
        )


def _models(facts: HealthFacts) -> Iterator[Found]:
    if facts.champion_trouble:
        what = message("It cannot answer: %(error)s.", error=facts.champion_trouble.rstrip("."))
        yield "champion", DEGRADED, what
    elif facts.champion is None:
        yield "champion", DEGRADED, message("No model is champion.")


def _drift(facts: HealthFacts) -> Iterator[Found]:
    """Report the monitors' alarms, or that they have not measured the newest forecast."""
    newest = facts.forecast_as_of
    if newest is not None and (facts.watched is None or facts.watched < newest):
        yield (
            "unwatched",
            DEGRADED,
            message(
                "The forecast of %(day)s was not measured for drift.", day=f"{newest:%Y-%m-%d}"
            ),
        )
    for one in facts.readings:
        if one.fired:
            yield one.monitor, DEGRADED, one.words


def _machine(facts: HealthFacts) -> Iterator[Found]:
    if (free := facts.free_bytes) < LOW_BYTES:
        code = BROKEN if free < NO_BYTES else DEGRADED
        size = f"{free / 1e9:.1f}"
        yield (
            "disk",
            code,
            message("%(size)s GB are free on the disk of %(name)s.", size=size, name="home"),
        )
    if facts.backup_at is None:
        yield "backup", DEGRADED, message("There is no backup.")
    elif (age := facts.now - facts.backup_at) > pd.Timedelta(days=BACKUP_DAYS):
        old = message("The last backup is %(late)s days old.", late=age.days)
        yield "backup", DEGRADED, old


def day_and_time(moment: pd.Timestamp) -> dict[str, Value]:
    """Return a moment as the values of a message."""
    return {"day": f"{moment:%Y-%m-%d}", "time": f"{moment:%H:%M}"}


GRACE_DAYS: Final = 2
"""Days after a release that figures and forecast may take."""


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """The facts, and what is wrong."""

    facts: HealthFacts
    alarms: tuple[HealthFinding, ...]

    @property
    def code(self) -> int:
        return max((one.code for one in self.alarms), default=FINE)


def examine(settings: Settings, now: pd.Timestamp) -> SystemHealth:
    """Collect the facts and check them; no finding is raised but that there is nothing yet."""
    if not (has_store(settings) or was_lost(settings)):
        with store_to_read(settings):
            pass
    settings.home.mkdir(parents=True, exist_ok=True)
    facts = HealthFacts(
        now=now,
        free_bytes=shutil.disk_usage(settings.home).free,
        backup_at=last_backup(settings),
        is_busy=sqlite_file(settings.url) is None or is_writing(settings),
        unasked=without_key(settings),
    )
    if wrong := sqlite_damage(settings.url):
        return _health(replace(facts, unreadable=wrong))
    try:
        with store_to_read(settings) as engine:
            facts = _with_database(engine, facts)
            return _health(_with_champion(settings, facts))
    except StoreError as err:
        return _health(replace(facts, unreadable=str(err)))


def _health(facts: HealthFacts) -> SystemHealth:
    return SystemHealth(facts, tuple(health_findings(facts)))


def _with_champion(settings: Settings, facts: HealthFacts) -> HealthFacts:
    try:
        if (found := champion_of(settings)) is None:
            return facts
        champion, verify = found
        facts = replace(
            facts,
            champion=message(
                "Champion: version %(number)s, %(model)s.",
                number=champion.version,
                model=champion.model_version,
            ),
        )
        verify()
    except StoreError as err:
        return replace(facts, champion_trouble=str(err))
    return facts


def _with_database(engine: Engine, facts: HealthFacts) -> HealthFacts:
    now = facts.now
    calendar = ReleaseCalendar.from_frame(read_calendar(engine, as_of=now))
    due = calendar.last_released(now)
    owed = calendar.last_released(now - pd.Timedelta(days=GRACE_DAYS + 1))
    coming = due + pd.DateOffset(months=1)
    if coming.month == 1:
        coming += pd.DateOffset(months=1)
    observations = read_observations(engine, as_of=now, commodity=COMMODITY)
    latest, runs = latest_forecast(engine), read_runs(engine).sort_values("started_at")
    kept = latest_readings(engine)
    others = runs.loc[runs["commodity"] != COMMODITY].drop_duplicates("commodity", keep="last")
    ill = others["status"].isin(["failed", *([] if facts.is_busy else ["running"])])
    runs = runs.loc[runs["commodity"] == COMMODITY]
    return replace(
        facts,
        due=due,
        due_on=calendar.released_on(due),
        owed=owed,
        owed_on=calendar.released_on(owed),
        next_month=coming,
        next_on=calendar.released_on(coming),
        newest=_newest_month(observations, now),
        forecast_as_of=latest["as_of"].max() if len(latest) else None,
        last_run=str(runs["status"].iloc[-1]) if len(runs) else "",
        last_run_at=runs["started_at"].iloc[-1] if len(runs) else None,
        readings=_stored_readings(kept),
        watched=kept["as_of"].max() if len(kept) else None,
        tampered=tampered(engine),
        held=held_publications(engine),
        quarantined=int(read_quarantine(engine)["released_at"].isna().sum()),
        failed=tuple(sorted(others.loc[ill, "commodity"])),
    )


def _newest_month(observations: pd.DataFrame, now: pd.Timestamp) -> pd.Timestamp | None:
    known = known_at(observations, key=OBSERVATION_KEY, as_of=now)
    known = known.loc[known["destination"] == WORLD]
    if known.empty:
        return None
    return month_start(min(last_evidence_month(known), last_complete_month(now)))


def _stored_readings(rows: pd.DataFrame) -> tuple[Reading, ...]:
    names = [field.name for field in fields(Reading)]
    found = rows.assign(words=rows["words"].map(from_json))[names].to_dict("records")
    return tuple(Reading(**{str(name): value for name, value in row.items()}) for row in found)
