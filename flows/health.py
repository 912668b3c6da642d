"""How it is: what stands, what is late and what is wrong, in words and as one code.

:func:`examine` looks, :func:`judge` says what it means; docs/operations.md says what to do.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import pandas as pd
from sqlalchemy import Engine

from features.evidence import evidence_panel
from features.months import month_start
from flows.backup import last_backup
from flows.stores import store_of, was_cut_off
from models import registry
from sources.calendar import ReleaseCalendar
from store.copies import is_sound
from store.errors import StoreError, first_few
from store.intact import tampered
from store.publications import waiting
from store.quarantine import read_quarantine
from store.reading import latest_forecast, read_calendar, read_observations, read_runs
from store.settings import Settings
from store.vocabulary import COMMODITY

Alarm = Literal[
    "database", "restore", "tampered", "held", "forecast", "late-data", "stale", "failed", "stuck",
    "champion", "quarantine", "disk", "backup",
]  # fmt: skip

BROKEN: Final = 2
WORSE: Final = 1
FINE: Final = 0

WORDS: Final = {FINE: "fine", WORSE: "stale or degraded", BROKEN: "broken"}

GRACE_DAYS: Final = 2
"""Days after a release that the figures and the forecast may take."""
STUCK_HOURS: Final = 6
BACKUP_DAYS: Final = 8
"""A weekly backup, and a day for it to be late."""
LOW_BYTES: Final = 2 << 30
NO_BYTES: Final = 200 << 20


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
    next_month: pd.Timestamp | None = None
    next_on: pd.Timestamp | None = None
    newest: pd.Timestamp | None = None
    """First day of the last month that a figure of China's speaks of."""
    forecast_as_of: pd.Timestamp | None = None
    last_run: str = ""
    last_run_at: pd.Timestamp | None = None
    champion: str = ""
    tampered: tuple[str, ...] = ()
    """Publications that are not what was frozen."""
    held: tuple[str, ...] = ()
    """Publications that wait for a person."""
    quarantined: int = 0
    suspicious: int = 0
    free_bytes: int = 0
    backup_at: pd.Timestamp | None = None


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
    )
    if seen.cut_off:
        return _health(seen)
    if wrong := is_sound(settings.url):
        return _health(replace(seen, unreadable=wrong))
    try:
        seen = _look(store_of(settings), seen)
        champion = registry.champion(settings)
    except StoreError as err:
        return _health(replace(seen, unreadable=str(err)))
    name = "" if champion is None else f"version {champion.version}, {champion.model_version}"
    return _health(replace(seen, champion=name))


def judge(facts: Facts) -> Iterator[Finding]:
    """Yield what is wrong, the worst first for each thing."""
    if facts.cut_off:
        yield Finding("restore", BROKEN, "a restore was cut off while it put things in place")
    elif facts.unreadable:
        yield Finding("database", BROKEN, facts.unreadable)
    else:
        yield from _publications(facts)
        yield from _freshness(facts)
        yield from _last_run(facts)
        if not facts.champion:
            yield Finding("champion", WORSE, "no model is champion")
        if facts.quarantined:
            yield Finding(
                "quarantine", WORSE, f"{facts.quarantined} refused files wait for a person"
            )
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


def _look(engine: Engine, seen: Facts) -> Facts:
    """Add what the store says."""
    now = seen.now
    calendar = ReleaseCalendar.from_frame(read_calendar(engine, as_of=now))
    due = calendar.last_released(now)
    coming = due + pd.DateOffset(months=1)
    if coming.month == 1:
        coming += pd.DateOffset(months=1)
    observations = read_observations(engine, as_of=now, commodity=COMMODITY)
    latest, runs = latest_forecast(engine), read_runs(engine).sort_values("started_at")
    panel = evidence_panel(observations, as_of=now) if len(observations) else None
    return replace(
        seen,
        due=due,
        due_on=calendar.released_on(due),
        next_month=coming,
        next_on=calendar.released_on(coming),
        newest=None if panel is None else month_start(panel.cutoff),
        forecast_as_of=latest["as_of"].max() if len(latest) else None,
        last_run=str(runs["status"].iloc[-1]) if len(runs) else "",
        last_run_at=runs["started_at"].iloc[-1] if len(runs) else None,
        tampered=tampered(engine),
        held=waiting(engine),
        quarantined=int(read_quarantine(engine)["released_at"].isna().sum()),
        suspicious=0 if panel is None else len(panel.suspicious),
    )


def _publications(facts: Facts) -> Iterator[Finding]:
    if facts.tampered:
        yield Finding("tampered", BROKEN, first_few(facts.tampered))
    if facts.held:
        yield Finding("held", WORSE, first_few(facts.held))


def _freshness(facts: Facts) -> Iterator[Finding]:
    """Hold figures and forecast against the release calendar."""
    if facts.forecast_as_of is None:
        yield Finding("forecast", BROKEN, "no forecast was ever published")
    if facts.due is None or facts.due_on is None:
        return
    month, late = f"{facts.due:%Y-%m}", _days(facts, facts.due_on.tz_localize("UTC"))
    if late <= GRACE_DAYS:
        return
    if facts.newest is None or facts.newest < facts.due:
        yield Finding(
            "late-data",
            WORSE,
            f"the figures of {month} were due on {facts.due_on:%Y-%m-%d} and are {late} days late",
        )
    if facts.forecast_as_of is not None and facts.forecast_as_of < facts.due_on.tz_localize("UTC"):
        yield Finding(
            "stale",
            WORSE,
            f"the forecast of {facts.forecast_as_of:%Y-%m-%d} is older than the release of "
            f"{facts.due_on:%Y-%m-%d}, {late} days ago",
        )


def _last_run(facts: Facts) -> Iterator[Finding]:
    if facts.last_run_at is None:
        return
    when = f"{facts.last_run_at:%Y-%m-%d %H:%M} UTC"
    if facts.last_run == "failed":
        yield Finding("failed", WORSE, f"the last run, of {when}, failed")
    hours = (facts.now - facts.last_run_at) / pd.Timedelta(hours=1)
    if facts.last_run == "running" and hours > STUCK_HOURS:
        yield Finding("stuck", WORSE, f"the run of {when} has not ended for {hours:.0f} hours")


def _days(facts: Facts, since: pd.Timestamp) -> int:
    return (facts.now - since).days
