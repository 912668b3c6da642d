"""How it is: what stands, what is late and what is wrong, in words and as one code.

:func:`examine` looks, :func:`judge` says what it means; docs/operations.md says what to do.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Final, Literal

import pandas as pd
from sqlalchemy import Engine

from features.evidence import evidence_panel
from features.months import month_start
from flows.backup import last_backup
from flows.machine import missing
from flows.stores import store_of, was_cut_off
from flows.watching import slo_readings
from flows.work import Note, is_at_work, notes, run_on
from models import registry
from models.monitoring import Reading
from models.slo import GRACE_DAYS
from sources.calendar import ReleaseCalendar
from store.copies import is_sound
from store.errors import StoreError, first_few
from store.intact import tampered
from store.newest import read_newest
from store.publications import waiting
from store.quarantine import read_quarantine
from store.reading import (
    latest_forecast,
    read_calendar,
    read_forecasts,
    read_observations,
    read_runs,
    read_vintages,
)
from store.readings import latest_readings
from store.settings import Settings
from store.vocabulary import COMMODITY

Alarm = Literal[
    "database", "restore", "clock", "tampered", "held", "forecast", "late-data", "stale", "failed",
    "stuck", "champion", "servers", "quarantine", "disk", "backup", "unwatched", "slo",
    "score-drift", "naive", "coverage-drift", "feature-drift", "contradictions", "slow",
]  # fmt: skip

BROKEN: Final = 2
WORSE: Final = 1
FINE: Final = 0

WORDS: Final = {FINE: "fine", WORSE: "stale or degraded", BROKEN: "broken"}

STUCK_HOURS: Final = 6
BACKUP_DAYS: Final = 8
"""A weekly backup, and a day for it to be late."""
LOW_BYTES: Final = 2 << 30
NO_BYTES: Final = 200 << 20


@dataclass(frozen=True, slots=True)
class Other:
    """What stands of a commodity beside the magnets."""

    commodity: str
    forecast_as_of: pd.Timestamp | None
    """Moment of its newest forecast, None if there is none."""
    months: str
    """First and last month of that forecast."""
    status: str
    last_run: str
    """How its last run ended; empty where none is noted."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen at one moment; days are naive, moments are UTC."""

    now: pd.Timestamp
    unreadable: str = ""
    """Why the store cannot be read; empty if it can."""
    cut_off: bool = False
    """Whether a restore was cut off."""
    due: pd.Timestamp | None = None
    """First day of the last month whose detail was due."""
    due_on: pd.Timestamp | None = None
    owed: pd.Timestamp | None = None
    """First day of the last month whose days of grace are over."""
    owed_on: pd.Timestamp | None = None
    next_month: pd.Timestamp | None = None
    next_on: pd.Timestamp | None = None
    newest: pd.Timestamp | None = None
    """First day of the last month that a figure of China's speaks of."""
    forecast_as_of: pd.Timestamp | None = None
    last_ingest_at: pd.Timestamp | None = None
    last_run: str = ""
    last_run_at: pd.Timestamp | None = None
    champion: str = ""
    champion_trouble: str = ""
    """Why the champion cannot be loaded; empty if it can."""
    missing: tuple[str, ...] = ()
    """Servers that `magnetcast up` started and that do not run."""
    tampered: tuple[str, ...] = ()
    """Publications that are not what was frozen."""
    held: tuple[str, ...] = ()
    """Publications that wait for a person."""
    quarantined: int = 0
    suspicious: int = 0
    broken_off: tuple[Note, ...] = ()
    """Works that failed, or were killed, and have not succeeded since."""
    readings: tuple[Reading, ...] = ()
    """What the monitors found last; freshness as of now."""
    watched: pd.Timestamp | None = None
    """Moment of the forecast that stood when they did."""
    free_bytes: int = 0
    backup_at: pd.Timestamp | None = None
    others: tuple[Other, ...] = ()
    """Commodities beside the magnets."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An alarm, how bad it is and what is the matter."""

    alarm: Alarm
    code: int
    words: str


@dataclass(frozen=True, slots=True)
class Health:
    """What was seen and what it means."""

    facts: Facts
    alarms: tuple[Finding, ...]

    @property
    def code(self) -> int:
        """Return 0 if all is fine, 1 if something is stale or degraded, 2 if it is broken."""
        return max((one.code for one in self.alarms), default=FINE)


def examine(settings: Settings, now: pd.Timestamp) -> Health:
    """Look at everything; never raises for what it finds.

    Args:
        settings: Where things are kept.
        now: The moment of asking (UTC).
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    seen = Facts(
        now=now,
        cut_off=was_cut_off(settings),
        free_bytes=shutil.disk_usage(settings.home).free,
        backup_at=last_backup(settings),
        broken_off=_broken_off(settings),
        missing=tuple(missing(settings)),
    )
    if seen.cut_off:
        return _health(seen)
    if wrong := is_sound(settings.url):
        return _health(replace(seen, unreadable=wrong))
    try:
        seen = _look(store_of(settings), seen)
    except StoreError as err:
        return _health(replace(seen, unreadable=str(err)))
    return _health(_with_champion(settings, seen))


def judge(facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong, the worst first for each thing."""
    if facts.cut_off:
        yield Finding("restore", BROKEN, "a restore was cut off while it put things in place")
    elif facts.unreadable:
        yield Finding("database", BROKEN, facts.unreadable)
    else:
        yield from _clock(facts)
        yield from _publications(facts)
        yield from _freshness(facts)
        yield from _last_run(facts)
        yield from _champion(facts)
        yield from _drift(facts)
        if facts.quarantined:
            yield Finding(
                "quarantine", WORSE, f"{facts.quarantined} refused files wait for a person"
            )
    yield from _machine(facts)


def _champion(facts: Facts) -> Iterator[Finding]:
    if not facts.champion:
        yield Finding("champion", WORSE, "no model is champion")
    elif facts.champion_trouble:
        yield Finding("champion", WORSE, f"it cannot answer: {facts.champion_trouble}")


def _machine(facts: Facts) -> Iterator[Finding]:
    """Tell of processes, works, disk and backup, which the store knows nothing of."""
    if facts.missing:
        names = ", ".join(facts.missing)
        yield Finding("servers", WORSE, f"{names} of `magnetcast up` ended and does not run")
    for one in facts.broken_off:
        how = f"failed: {one.error}" if one.error else "was cut off before it ended"
        yield Finding("failed", WORSE, f"{one.what}, begun {one.began_at}, {how}")
    if facts.free_bytes < LOW_BYTES:
        code = BROKEN if facts.free_bytes < NO_BYTES else WORSE
        yield Finding("disk", code, f"{facts.free_bytes / 1e9:.1f} GB are free on the disk of home")
    if facts.backup_at is None:
        yield Finding("backup", WORSE, "there is no backup")
    elif facts.now - facts.backup_at > pd.Timedelta(days=BACKUP_DAYS):
        yield Finding(
            "backup", WORSE, f"the last backup is {_days(facts, facts.backup_at)} days old"
        )


def _health(facts: Facts) -> Health:
    return Health(facts, tuple(judge(facts)))


def _with_champion(settings: Settings, seen: Facts) -> Facts:
    """Add who publishes, and why it cannot answer if it cannot: MLflow away, files changed."""
    name = "unknown"
    try:
        if (champion := registry.champion(settings)) is None:
            return seen
        name = f"version {champion.version}, {champion.model_version}"
        registry.load(settings, champion.version)
    except StoreError as err:
        return replace(seen, champion=name, champion_trouble=str(err))
    return replace(seen, champion=name)


def _broken_off(settings: Settings) -> tuple[Note, ...]:
    """Return the works that failed; those without an error too, if nobody is at work any more."""
    found = notes(settings)
    if all(one.error for one in found) or is_at_work(settings):
        return tuple(one for one in found if one.error)
    return found


def _look(engine: Engine, seen: Facts) -> Facts:
    """Add what the store says."""
    now = seen.now
    calendar = ReleaseCalendar.from_frame(read_calendar(engine, as_of=now))
    due = calendar.last_released(now)
    owed = calendar.last_released(now - pd.Timedelta(days=GRACE_DAYS + 1))
    coming = due + pd.DateOffset(months=1)
    if coming.month == 1:
        coming += pd.DateOffset(months=1)
    observations = read_observations(engine, as_of=now, commodity=COMMODITY)
    vintages = read_vintages(engine)
    latest, runs = latest_forecast(engine), read_runs(engine).sort_values("started_at")
    kept = latest_readings(engine)
    runs = runs.loc[runs["commodity"] == COMMODITY]
    panel = evidence_panel(observations, as_of=now) if len(observations) else None
    return replace(
        seen,
        due=due,
        due_on=calendar.released_on(due),
        owed=owed,
        owed_on=calendar.released_on(owed),
        next_month=coming,
        next_on=calendar.released_on(coming),
        newest=None if panel is None else month_start(panel.cutoff),
        forecast_as_of=latest["as_of"].max() if len(latest) else None,
        last_ingest_at=vintages.sort_values("id")["ingested_at"].iloc[-1]
        if len(vintages)
        else None,
        last_run=str(runs["status"].iloc[-1]) if len(runs) else "",
        last_run_at=runs["started_at"].iloc[-1] if len(runs) else None,
        readings=(*_kept(kept), *slo_readings(engine, read_forecasts(engine), now)),
        watched=kept["as_of"].max() if len(kept) else None,
        tampered=tampered(engine),
        held=waiting(engine),
        quarantined=int(read_quarantine(engine)["released_at"].isna().sum()),
        suspicious=0 if panel is None else len(panel.suspicious),
        others=_others(engine),
    )


def _others(engine: Engine) -> tuple[Other, ...]:
    rows = read_newest(engine)
    return tuple(
        Other(
            commodity=str(row["commodity"]),
            forecast_as_of=None if pd.isna(row["as_of"]) else row["as_of"],
            months=""
            if pd.isna(row["as_of"])
            else f"{row['cutoff'] + pd.DateOffset(months=1):%Y-%m} to {row['last_period']:%Y-%m}",
            status="" if pd.isna(row["as_of"]) else str(row["status"]),
            last_run=str(row["last_run"]),
        )
        for row in rows.loc[rows["commodity"] != COMMODITY].to_dict("records")
    )


def _clock(facts: Facts) -> Iterator[Finding]:
    """Hold this machine's clock against the last thing that was noted by it."""
    last = facts.last_ingest_at
    if last is not None and last > facts.now + pd.Timedelta(days=1):
        yield Finding(
            "clock",
            WORSE,
            f"this machine's clock says {facts.now:%Y-%m-%d}, and the last ingest was on "
            f"{last:%Y-%m-%d}: the clock was moved",
        )


def _kept(rows: pd.DataFrame) -> list[Reading]:
    """Return a measurement as it was made; freshness is told anew, it ages by itself."""
    names = [field.name for field in fields(Reading)]
    own = rows.loc[rows["monitor"] != "slo", names]
    return [Reading(**{str(k): v for k, v in row.items()}) for row in own.to_dict("records")]


def _publications(facts: Facts) -> Iterator[Finding]:
    if facts.tampered:
        yield Finding("tampered", BROKEN, first_few(facts.tampered))
    if facts.held:
        yield Finding("held", WORSE, first_few(facts.held))


def _freshness(facts: Facts) -> Iterator[Finding]:
    """Hold figures and forecast against the release calendar."""
    if facts.forecast_as_of is None:
        yield Finding("forecast", BROKEN, "no forecast was ever published")
    if facts.owed is None or facts.owed_on is None:
        return
    month, late = f"{facts.owed:%Y-%m}", _days(facts, facts.owed_on.tz_localize("UTC"))
    if facts.newest is None or facts.newest < facts.owed:
        yield Finding(
            "late-data",
            WORSE,
            f"the figures of {month} were due on {facts.owed_on:%Y-%m-%d} and are {late} days late",
        )
    if facts.forecast_as_of is not None and facts.forecast_as_of < facts.owed_on.tz_localize("UTC"):
        yield Finding(
            "stale",
            WORSE,
            f"the forecast of {facts.forecast_as_of:%Y-%m-%d} is older than the release of "
            f"{facts.owed_on:%Y-%m-%d}, {late} days ago",
        )


def _last_run(facts: Facts) -> Iterator[Finding]:
    told = {note.what for note in facts.broken_off}
    failed = [one.commodity for one in facts.others if one.last_run == "failed"]
    if failed := [code for code in failed if run_on(code) not in told]:
        yield Finding("failed", WORSE, f"the last run of {first_few(failed)} failed")
    if facts.last_run_at is None:
        return
    when = f"{facts.last_run_at:%Y-%m-%d %H:%M} UTC"
    if facts.last_run == "failed" and not facts.broken_off:
        yield Finding("failed", WORSE, f"the last run, of {when}, failed")
    hours = (facts.now - facts.last_run_at) / pd.Timedelta(hours=1)
    if facts.last_run == "running" and hours > STUCK_HOURS:
        yield Finding("stuck", WORSE, f"the run of {when} has not ended for {hours:.0f} hours")


def _drift(facts: Facts) -> Iterator[Finding]:
    """Tell what the monitors found, or that they did not look at the newest forecast."""
    stood = facts.forecast_as_of
    if stood is not None and (facts.watched is None or facts.watched < stood):
        words = f"the forecast of {stood:%Y-%m-%d} was not measured for drift"
        yield Finding("unwatched", WORSE, words)
    for one in facts.readings:
        if one.fired:
            yield Finding(one.monitor, WORSE, one.words)


def _days(facts: Facts, since: pd.Timestamp) -> int:
    return (facts.now - since).days
