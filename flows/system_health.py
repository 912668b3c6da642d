"""System health: the facts, what is wrong, and both in sentences.

:func:`examine` collects the facts, :func:`report_of` says what they mean and docs/operations.md has
the remedies.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from features.panel.statements import last_evidence_month
from flows.backup import last_backup
from flows.context.stores import has_store, is_writing, store_to_read, was_lost
from models.forecasting.model_names import fallback_of
from models.monitoring import Alarm, HealthReport, Reading
from models.registry.champions import read_champions
from models.registry.stored_model import MODEL, verify
from store.archive import sqlite_damage
from store.asof import OBSERVATION_KEY, known_at
from store.database import sqlite_file
from store.errors import SHOWN, StoreError, first_few
from store.facts.commodities import under_china_code
from store.facts.reading import (
    latest_forecast,
    read_calendar,
    read_observations,
    read_runs,
    read_table,
)
from store.facts.reviews import read_quarantine
from store.messages import Message, Value, from_json, message, sentences
from store.months import last_complete_month, month_start
from store.publications.integrity import tampered
from store.publications.publication_rows import COVERAGE_DRIFT, latest_reading
from store.publications.publication_writing import held_publications
from store.release_calendar import ReleaseCalendar
from store.schema.database_tables import vintages
from store.settings import Settings
from store.vocabulary import COMMODITY, WORLD

GRACE_DAYS: Final = 2
"""Days after a release that figures and forecast may take."""
STUCK_HOURS: Final = 6
LATE_DAYS: Final = 62
"""Days that figures may be late before the forecast counts as broken: two releases are missing."""
BACKUP_DAYS: Final = 8
"""A weekly backup, and a day for it to be late."""
LOW_BYTES: Final = 2 << 30
NO_BYTES: Final = 200 << 20


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What is known of the system at one moment; days are naive, moments are UTC."""

    moment: pd.Timestamp
    unreadable: str = ""
    """Why the database cannot be read; empty if it can."""
    calendar: ReleaseCalendar | None = None
    newest: pd.Timestamp | None = None
    """First day of the last month for which a figure of China's exports to the world is known."""
    forecast_as_of: pd.Timestamp | None = None
    last_run: str = ""
    last_run_at: pd.Timestamp | None = None
    champion: Message | None = None
    champion_trouble: str = ""
    """Why the champion cannot be loaded; empty if it can."""
    champion_lost: int = 0
    """Last version promoted where MLflow names no champion any more."""
    fallback: tuple[str, str] = ("", "")
    """Which fallback made the newest forecast, and why; empty if a model did."""
    tampered: tuple[Message, ...] = ()
    """Publications that do not match their digests, in the database or in their folder."""
    held: tuple[Message, ...] = ()
    quarantined: int = 0
    coverage: Reading | None = None
    watched: pd.Timestamp | None = None
    """As-of of the newest forecast when coverage was measured."""
    free_bytes: int = 0
    backup_at: pd.Timestamp | None = None
    begun_at: pd.Timestamp | None = None
    """Moment of the first ingest: before it there is nothing to back up."""
    is_bundled: bool = False
    """Whether nothing but the bundled files was ever read: a snapshot, which no schedule renews."""
    failed: tuple[str, ...] = ()
    """Commodities other than magnets whose last run failed."""
    is_busy: bool = False
    """Whether a run or an ingest goes on, or may on another machine that shares the database."""

    @property
    def run_state(self) -> str:
        """State of the last run; one that was killed could not record its end."""
        was_cut_off = self.last_run == "running" and not self.is_busy
        return "cut off" if was_cut_off else self.last_run


def report_of(facts: HealthFacts) -> HealthReport:
    """The facts in sentences, and an alarm for each fault."""
    return HealthReport(facts.moment, tuple(_lines(facts)), tuple(_alarms(facts)))


def _alarms(facts: HealthFacts) -> Iterator[Alarm]:
    if facts.unreadable:
        yield Alarm("database", facts.unreadable, is_broken=True)
    else:
        if facts.tampered:
            yield Alarm("tampered", sentences(*facts.tampered[:SHOWN]), is_broken=True)
        if facts.held:
            yield Alarm("held", sentences(*facts.held[:SHOWN]))
        yield from _freshness(facts)
        yield from _last_run(facts)
        yield from _models(facts)
        if facts.quarantined:
            waiting = message(
                "Refused files that wait for review: %(files)s.", files=facts.quarantined
            )
            yield Alarm("quarantine", waiting)
    yield from _machine(facts)


def _freshness(facts: HealthFacts) -> Iterator[Alarm]:
    forecast = facts.forecast_as_of
    if forecast is None:
        yield Alarm("forecast", message("No forecast was ever published."), is_broken=True)
    if facts.calendar is None:
        return
    owed = facts.calendar.last_released(facts.moment - pd.Timedelta(days=GRACE_DAYS + 1))
    if facts.newest is None or facts.newest < owed:
        missing = owed if facts.newest is None else _month_after(facts.newest)
        day, late = _due(facts, missing)
        words = message(
            "The figures of %(month)s were due on %(day)s; days late: %(late)s.",
            month=f"{missing:%Y-%m}",
            day=day,
            late=late,
        )
        if facts.is_bundled:
            words = message(
                "Only the bundled facts were read, of which %(month)s is missing since %(day)s.",
                month=f"{missing:%Y-%m}",
                day=day,
            )
        is_broken = late > LATE_DAYS and not facts.is_bundled
        yield Alarm("late-data", words, is_broken=is_broken)
    if forecast is not None and forecast < facts.calendar.released_on(owed).tz_localize("UTC"):
        day, late = _due(facts, _month_after(facts.calendar.last_released(forecast)))
        words = message(
            "The forecast of %(day)s is older than the release of %(last_day)s, %(late)s days ago.",
            day=f"{forecast:%Y-%m-%d}",
            last_day=day,
            late=late,
        )
        yield Alarm("stale", words)


def _month_after(month: pd.Timestamp) -> pd.Timestamp:
    """Month that is released next: January together with February."""
    return month + pd.DateOffset(months=2 if month.month == 12 else 1)  # noqa: PLR2004 - December


def _due(facts: HealthFacts, month: pd.Timestamp) -> tuple[str, int]:
    """Day of the release of a month, and days since."""
    assert facts.calendar is not None  # noqa: S101 - the caller's
    day = facts.calendar.released_on(month)
    return f"{day:%Y-%m-%d}", (facts.moment - day.tz_localize("UTC")).days


def _last_run(facts: HealthFacts) -> Iterator[Alarm]:
    if facts.failed:
        words = message("The last run of %(name)s failed.", name=first_few(facts.failed))
        yield Alarm("failed", words)
    if facts.last_run_at is None:
        return
    when = _day_and_time(facts.last_run_at)
    hours = (facts.moment - facts.last_run_at) / pd.Timedelta(hours=1)
    if facts.last_run == "failed":
        yield Alarm("failed", message("The last run, of %(day)s %(time)s UTC, failed.", **when))
    elif facts.run_state == "cut off":
        words = message("The last run, of %(day)s %(time)s UTC, was cut off.", **when)
        yield Alarm("failed", words)
    elif facts.last_run == "running" and hours > STUCK_HOURS:
        words = message(
            "The run of %(day)s %(time)s UTC has not ended for %(hours)s hours.",
            hours=round(hours),
            **when,
        )
        yield Alarm("stuck", words)


def _models(facts: HealthFacts) -> Iterator[Alarm]:
    """Yield what is wrong with the champion and with coverage, or that it was not measured."""
    if facts.champion_trouble:
        words = message("It cannot answer: %(error)s.", error=facts.champion_trouble.rstrip("."))
        yield Alarm("champion", words)
    elif facts.champion_lost:
        words = message(
            "MLflow names no champion; version %(number)s was the last.", number=facts.champion_lost
        )
        yield Alarm("champion", words)
    elif facts.champion is None:
        yield Alarm("champion", message("No model is champion."))
    fallback, reason = facts.fallback
    if fallback:
        words = message(
            "The newest forecast is by the fallback %(model)s and by no model: %(reason)s.",
            model=fallback,
            reason=reason.rstrip("."),
        )
        yield Alarm("fallback", words)
    newest = facts.forecast_as_of
    if newest is not None and (facts.watched is None or facts.watched < newest):
        day = f"{newest:%Y-%m-%d}"
        words = message("Coverage was not measured after the forecast of %(day)s.", day=day)
        yield Alarm("unwatched", words)
    if facts.coverage is not None and facts.coverage.fired:
        yield Alarm(COVERAGE_DRIFT, facts.coverage.words)


def _machine(facts: HealthFacts) -> Iterator[Alarm]:
    if (free := facts.free_bytes) < LOW_BYTES:
        size = f"{free / 1e9:.1f}"
        words = message("%(size)s GB are free on the disk of %(name)s.", size=size, name="home")
        yield Alarm("disk", words, is_broken=free < NO_BYTES)
    since = facts.backup_at or facts.begun_at
    age = pd.Timedelta.max if since is None else facts.moment - since
    if age > pd.Timedelta(days=BACKUP_DAYS):
        late = message("The last backup is %(late)s days old.", late=age.days)
        yield Alarm("backup", late if facts.backup_at else message("There is no backup."))


def _lines(facts: HealthFacts) -> Iterator[Message]:
    if facts.calendar is not None:
        yield from _releases(facts, facts.calendar)
    if facts.forecast_as_of is not None:
        when = _day_and_time(facts.forecast_as_of)
        yield message("The newest forecast is as of %(day)s %(time)s UTC.", **when)
    if facts.last_run_at is not None:
        when = _day_and_time(facts.last_run_at)
        yield message(
            "The last run began %(day)s %(time)s UTC: %(state)s.", state=facts.run_state, **when
        )
    yield facts.champion or message("Champion: none.")
    if facts.champion_trouble:
        yield message("The champion cannot forecast; the next run trains a model in its place.")
    yield message(
        "Quarantine: %(files)s files wait. Free disk: %(size)s GB.",
        files=facts.quarantined,
        size=f"{facts.free_bytes / 1e9:.1f}",
    )
    if facts.coverage is not None:
        yield facts.coverage.words
    if facts.backup_at is None:
        yield message("Last backup: never.")
    else:
        yield message("Last backup: %(day)s %(time)s UTC.", **_day_and_time(facts.backup_at))


def _releases(facts: HealthFacts, calendar: ReleaseCalendar) -> Iterator[Message]:
    due = calendar.last_released(facts.moment)
    yield message(
        "Figures of %(month)s were due on %(day)s; the newest known of the world are of "
        "%(newest)s.",
        month=f"{due:%Y-%m}",
        day=f"{calendar.released_on(due):%Y-%m-%d}",
        newest=message("none") if facts.newest is None else f"{facts.newest:%Y-%m}",
    )
    coming = _month_after(due)
    yield message(
        "The next, of %(month)s, are due on %(day)s.",
        month=f"{coming:%Y-%m}",
        day=f"{calendar.released_on(coming):%Y-%m-%d}",
    )


def _day_and_time(moment: pd.Timestamp) -> dict[str, Value]:
    return {"day": f"{moment:%Y-%m-%d}", "time": f"{moment:%H:%M}"}


def status_lines(report: HealthReport) -> list[str]:
    """The status, then what is wrong, each with the page of its remedy."""
    alarms = [
        f"{'BROKEN' if alarm.is_broken else 'WARNING'} {alarm.name}: {alarm.words} "
        f"(docs/operations.md#{alarm.name})"
        for alarm in report.alarms
    ]
    return [str(report.headline), *map(str, report.lines), *alarms]


def status_record(report: HealthReport) -> dict[str, object]:
    """Status as the file of the site has it."""
    return {
        "at": f"{report.at:%Y-%m-%dT%H:%M:%SZ}",
        "code": report.code,
        "headline": str(report.headline),
        "lines": [str(line) for line in report.lines],
        "alarms": [
            {"alarm": alarm.name, "broken": alarm.is_broken, "words": str(alarm.words)}
            for alarm in report.alarms
        ],
    }


POSTED: Final = "alarms.json"
"""File below home with the names of the alarms that were posted."""


@contextmanager
def alarm_news(settings: Settings, report: HealthReport) -> Iterator[list[str]]:
    """Alarms that began or ended since the last check; noted as posted if nothing is raised."""
    file, names = settings.home / POSTED, {alarm.name: str(alarm.words) for alarm in report.alarms}
    posted = set(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else set()
    began = [f"{name} begins: {words}" for name, words in names.items() if name not in posted]
    yield [*began, *(f"{name} has ended." for name in sorted(posted - {*names}))]
    file.write_text(json.dumps(sorted(names)), encoding="utf-8")


def examine(settings: Settings, moment: pd.Timestamp) -> HealthReport:
    """Collect the facts and check them; no finding is raised but that there is nothing yet."""
    if not (has_store(settings) or was_lost(settings)):
        with store_to_read(settings):
            pass
    settings.home.mkdir(parents=True, exist_ok=True)
    facts = HealthFacts(
        moment=moment,
        unreadable=sqlite_damage(settings.url) or "",
        free_bytes=shutil.disk_usage(settings.home).free,
        backup_at=last_backup(settings),
        is_busy=sqlite_file(settings.url) is None or is_writing(settings),
    )
    if facts.unreadable:
        return report_of(facts)
    try:
        with store_to_read(settings) as engine:
            facts = _with_database(engine, facts, settings.publications_dir)
            facts = replace(facts, is_bundled=_is_bundled(engine, settings))
            return report_of(_with_champion(settings, engine, facts))
    except StoreError as err:
        return report_of(replace(facts, unreadable=str(err)))


def _is_bundled(engine: Engine, settings: Settings) -> bool:
    files = (
        {path.name for path in settings.data_dir.iterdir()} if settings.data_dir.is_dir() else set()
    )
    return set(read_table(engine, vintages)["file_name"]) <= files


def _with_champion(settings: Settings, engine: Engine, facts: HealthFacts) -> HealthFacts:
    try:
        champions = read_champions(settings, engine, MODEL)
    except StoreError as err:
        return replace(facts, champion_trouble=str(err))
    facts = replace(facts, champion_lost=champions.lost)
    if rule := champions.rule.get("rule"):
        words = message("The simple rule %(model)s publishes in place of the model.", model=rule)
        return replace(facts, champion=words)
    if (champion := champions.champion) is None:
        return facts
    name, number = champion.model_version, champion.version
    words = message("Champion: version %(number)s, %(model)s.", number=number, model=name)
    facts = replace(facts, champion=words)
    try:
        if champion.folder:
            verify(settings, champion)
        else:
            from models.registry.model_registry import load  # noqa: PLC0415 - MLflow takes seconds

            load(settings, number)
    except StoreError as err:
        return replace(facts, champion_trouble=str(err))
    return facts


def _with_database(engine: Engine, facts: HealthFacts, folders: Path) -> HealthFacts:
    moment = facts.moment
    observations = read_observations(engine, as_of=moment, commodity=COMMODITY)
    latest, runs = latest_forecast(engine), read_runs(engine).sort_values("started_at")
    stored = latest_reading(engine)
    magnets = under_china_code(runs)
    tables = runs.loc[~magnets].drop_duplicates("commodity", keep="last")
    ill = tables["status"].isin(["failed", *([] if facts.is_busy else ["running"])])
    runs = runs.loc[magnets]
    figures = known_at(observations, key=OBSERVATION_KEY, as_of=moment)
    world = figures.loc[figures["destination"] == WORLD]
    names = [field.name for field in fields(Reading)]
    rows = stored.assign(words=stored["words"].map(from_json))[names].to_dict("records")
    readings = [Reading(**{str(name): value for name, value in row.items()}) for row in rows]
    return replace(
        facts,
        calendar=ReleaseCalendar.from_frame(read_calendar(engine, as_of=moment)),
        newest=month_start(min(last_evidence_month(world), last_complete_month(moment)))
        if len(world)
        else None,
        forecast_as_of=latest["as_of"].max() if len(latest) else None,
        fallback=fallback_of(latest),
        last_run=str(runs["status"].iloc[-1]) if len(runs) else "",
        last_run_at=runs["started_at"].iloc[-1] if len(runs) else None,
        coverage=readings[0] if readings else None,
        watched=stored["as_of"].max() if len(stored) else None,
        begun_at=read_table(engine, vintages)["ingested_at"].min(),
        tampered=tampered(engine, folders),
        held=held_publications(engine),
        quarantined=int(read_quarantine(engine)["released_at"].isna().sum()),
        failed=tuple(sorted(tables.loc[ill, "commodity"])),
    )
