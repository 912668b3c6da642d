"""What is wrong, judged from what was seen: alarms, each with a paragraph in docs/operations.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import pandas as pd

from flows.monitoring.run_marker import RunMarker, run_on
from models.monitoring.readings import Reading
from store.errors import first_few

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
class OtherCommodity:
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
class HealthFacts:
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
    started_again: Mapping[str, Sequence[pd.Timestamp]] = field(default_factory=dict)
    """When the keeper started which server again in the last day."""
    tampered: tuple[str, ...] = ()
    """Publications that are not what was frozen."""
    held: tuple[str, ...] = ()
    """Publications that wait for a person."""
    quarantined: int = 0
    suspicious: int = 0
    broken_off: tuple[RunMarker, ...] = ()
    """Works that failed, or were killed, and have not succeeded since."""
    readings: tuple[Reading, ...] = ()
    """What the monitors found last; freshness as of now."""
    watched: pd.Timestamp | None = None
    """Moment of the forecast that stood when they did."""
    free_bytes: int = 0
    mlflow_free_bytes: int | None = None
    """On the disk of MLflow's files; None where it is home's, or has none."""
    backup_at: pd.Timestamp | None = None
    others: tuple[OtherCommodity, ...] = ()
    """Commodities beside the magnets."""


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """An alarm, how bad it is and what is the matter."""

    alarm: Alarm
    code: int
    words: str


def judge(facts: HealthFacts) -> Iterator[HealthFinding]:
    """Yield what is wrong, the worst first for each thing."""
    if facts.cut_off:
        yield HealthFinding("restore", BROKEN, "a restore was cut off while it put things in place")
    elif facts.unreadable:
        yield HealthFinding("database", BROKEN, facts.unreadable)
    else:
        yield from _clock(facts)
        yield from _publications(facts)
        yield from _freshness(facts)
        yield from _last_run(facts)
        yield from _champion(facts)
        yield from _drift(facts)
        if facts.quarantined:
            yield HealthFinding(
                "quarantine", WORSE, f"{facts.quarantined} refused files wait for a person"
            )
    yield from _machine(facts)


def _clock(facts: HealthFacts) -> Iterator[HealthFinding]:
    """Hold this machine's clock against the last thing that was noted by it."""
    last = facts.last_ingest_at
    if last is not None and last > facts.now + pd.Timedelta(days=1):
        yield HealthFinding(
            "clock",
            WORSE,
            f"this machine's clock says {facts.now:%Y-%m-%d}, and the last ingest was on "
            f"{last:%Y-%m-%d}: the clock was moved",
        )


def _publications(facts: HealthFacts) -> Iterator[HealthFinding]:
    if facts.tampered:
        yield HealthFinding("tampered", BROKEN, first_few(facts.tampered))
    if facts.held:
        yield HealthFinding("held", WORSE, first_few(facts.held))


def _freshness(facts: HealthFacts) -> Iterator[HealthFinding]:
    """Hold figures and forecast against the release calendar."""
    if facts.forecast_as_of is None:
        yield HealthFinding("forecast", BROKEN, "no forecast was ever published")
    if facts.owed is None or facts.owed_on is None:
        return
    month, late = f"{facts.owed:%Y-%m}", _days(facts, facts.owed_on.tz_localize("UTC"))
    if facts.newest is None or facts.newest < facts.owed:
        yield HealthFinding(
            "late-data",
            WORSE,
            f"the figures of {month} were due on {facts.owed_on:%Y-%m-%d} and are {late} days late",
        )
    if facts.forecast_as_of is not None and facts.forecast_as_of < facts.owed_on.tz_localize("UTC"):
        yield HealthFinding(
            "stale",
            WORSE,
            f"the forecast of {facts.forecast_as_of:%Y-%m-%d} is older than the release of "
            f"{facts.owed_on:%Y-%m-%d}, {late} days ago",
        )


def _last_run(facts: HealthFacts) -> Iterator[HealthFinding]:
    told = {note.what for note in facts.broken_off}
    failed = [one.commodity for one in facts.others if one.last_run == "failed"]
    if failed := [code for code in failed if run_on(code) not in told]:
        yield HealthFinding("failed", WORSE, f"the last run of {first_few(failed)} failed")
    if facts.last_run_at is None:
        return
    when = f"{facts.last_run_at:%Y-%m-%d %H:%M} UTC"
    if facts.last_run == "failed" and not facts.broken_off:
        yield HealthFinding("failed", WORSE, f"the last run, of {when}, failed")
    hours = (facts.now - facts.last_run_at) / pd.Timedelta(hours=1)
    if facts.last_run == "running" and hours > STUCK_HOURS:
        yield HealthFinding(
            "stuck", WORSE, f"the run of {when} has not ended for {hours:.0f} hours"
        )


def _champion(facts: HealthFacts) -> Iterator[HealthFinding]:
    if not facts.champion:
        yield HealthFinding("champion", WORSE, "no model is champion")
    elif facts.champion_trouble:
        yield HealthFinding("champion", WORSE, f"it cannot answer: {facts.champion_trouble}")


def _drift(facts: HealthFacts) -> Iterator[HealthFinding]:
    """Tell what the monitors found, or that they did not look at the newest forecast."""
    stood = facts.forecast_as_of
    if stood is not None and (facts.watched is None or facts.watched < stood):
        words = f"the forecast of {stood:%Y-%m-%d} was not measured for drift"
        yield HealthFinding("unwatched", WORSE, words)
    for one in facts.readings:
        if one.fired:
            yield HealthFinding(one.monitor, WORSE, one.words)


def _machine(facts: HealthFacts) -> Iterator[HealthFinding]:
    """Tell of processes, works, disk and backup, which the store knows nothing of."""
    if facts.missing:
        names = ", ".join(facts.missing)
        yield HealthFinding("servers", WORSE, f"{names} of `magnetcast up` ended and does not run")
    for one in facts.broken_off:
        how = f"failed: {one.error}" if one.error else "was cut off before it ended"
        yield HealthFinding("failed", WORSE, f"{one.what}, begun {one.began_at}, {how}")
    yield from _disk("home", facts.free_bytes)
    if facts.mlflow_free_bytes is not None:
        yield from _disk("MLflow", facts.mlflow_free_bytes)
    if facts.backup_at is None:
        yield HealthFinding("backup", WORSE, "there is no backup")
    elif facts.now - facts.backup_at > pd.Timedelta(days=BACKUP_DAYS):
        yield HealthFinding(
            "backup", WORSE, f"the last backup is {_days(facts, facts.backup_at)} days old"
        )


def _disk(whose: str, free_bytes: int) -> Iterator[HealthFinding]:
    if free_bytes < LOW_BYTES:
        code = BROKEN if free_bytes < NO_BYTES else WORSE
        yield HealthFinding(
            "disk", code, f"{free_bytes / 1e9:.1f} GB are free on the disk of {whose}"
        )


def _days(facts: HealthFacts, since: pd.Timestamp) -> int:
    return (facts.now - since).days
