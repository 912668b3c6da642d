"""System health: the facts, what is wrong, and one code for both.

:func:`examine` collects the facts, :mod:`flows.monitoring.health_checks` decides what they mean and
docs/operations.md has the remedies.
"""

import shutil
from dataclasses import dataclass, fields, replace
from typing import Final

import pandas as pd
from sqlalchemy import Engine

from features.months import last_complete_month, month_start
from features.panel.statements import last_evidence_month
from flows.backup import last_backup
from flows.context.stores import (
    has_store,
    store_to_read,
    unfinished_runs,
    was_lost,
)
from flows.monitoring.health_checks import (
    FINE,
    HealthFacts,
    HealthFinding,
    OtherCommodity,
    health_findings,
)
from models.monitoring import Reading
from models.registry import model_store, registry
from models.registry.runs import is_kept
from sources.bundled.release_calendar import ReleaseCalendar
from store.archive import sqlite_damage
from store.asof import OBSERVATION_KEY, known_at
from store.database import shown_address
from store.errors import StoreError
from store.facts.reading import (
    latest_forecast,
    read_calendar,
    read_observations,
    read_runs,
)
from store.facts.recorded import newest_write
from store.facts.reviews import read_quarantine
from store.publications.decisions import held_publications
from store.publications.integrity import tampered
from store.publications.published import latest_readings, read_newest
from store.settings import Settings
from store.vocabulary import COMMODITY

GRACE_DAYS: Final = 2
"""Days after a release that figures and forecast may take."""


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """The facts, and what is wrong."""

    facts: HealthFacts
    alarms: tuple[HealthFinding, ...]

    @property
    def code(self) -> int:
        """Return 0 if all is fine, 1 if something is stale or degraded, 2 if it is broken."""
        return max((one.code for one in self.alarms), default=FINE)


def examine(settings: Settings, now: pd.Timestamp) -> SystemHealth:
    """Collect the facts and check them; no finding is raised but that there is nothing yet.

    Args:
        settings: Where things are kept.
        now: The moment of asking (UTC).

    Raises:
        StoreError: There is no data yet.
    """
    if not (has_store(settings) or was_lost(settings)):
        with store_to_read(settings):
            pass
    settings.home.mkdir(parents=True, exist_ok=True)
    facts = HealthFacts(
        now=now,
        free_bytes=shutil.disk_usage(settings.home).free,
        mlflow_free_bytes=_free_of_mlflow(settings),
        backup_at=last_backup(settings),
        unfinished=unfinished_runs(settings),
    )
    if wrong := sqlite_damage(settings.url):
        return _health(replace(facts, unreadable=wrong))
    try:
        with store_to_read(settings) as engine:
            facts = _with_database(engine, facts)
            return _health(_with_champion(settings, facts))
    except StoreError as err:
        return _health(replace(facts, unreadable=str(err)))


def _free_of_mlflow(settings: Settings) -> int | None:
    """Return free bytes for MLflow's files; None if they are on home's disk, or none exist."""
    folder = settings.artifact_dir
    if not folder.is_dir() or folder.stat().st_dev == settings.home.stat().st_dev:
        return None
    return shutil.disk_usage(folder).free


def _health(facts: HealthFacts) -> SystemHealth:
    return SystemHealth(facts, tuple(health_findings(facts)))


def _with_champion(settings: Settings, facts: HealthFacts) -> HealthFacts:
    """Add the champion, and why it cannot be loaded if so."""
    name = "unknown"
    try:
        champion = registry.champion(settings)
        if champion is None:
            lost = _lost_record(settings)
            return replace(facts, champion="lost", champion_trouble=lost) if lost else facts
        name = f"version {champion.version}, {champion.model_version}"
        model_store.load(settings, champion.version)
    except StoreError as err:
        return replace(facts, champion=name, champion_trouble=str(err))
    return replace(facts, champion=name)


def _lost_record(settings: Settings) -> str:
    """Return what to report where files of models are there and MLflow's database is not."""
    folder = settings.artifact_dir
    if is_kept(settings) or not (folder.is_dir() and any(folder.iterdir())):
        return ""
    return (
        f"MLflow's database {shown_address(settings.tracking_uri)} is gone, and files of models "
        f"are still in {folder}. Put it back, or restore a backup into a new home"
    )


def _with_database(engine: Engine, facts: HealthFacts) -> HealthFacts:
    """Add the findings on the database."""
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
        last_write_at=_last_write(engine),
        last_run=str(runs["status"].iloc[-1]) if len(runs) else "",
        last_run_at=runs["started_at"].iloc[-1] if len(runs) else None,
        readings=_stored_readings(kept),
        watched=kept["as_of"].max() if len(kept) else None,
        tampered=tampered(engine),
        held=held_publications(engine),
        quarantined=int(read_quarantine(engine)["released_at"].isna().sum()),
        others=_other_commodities(engine),
    )


def _last_write(engine: Engine) -> pd.Timestamp | None:
    with engine.begin() as connection:
        found = newest_write(connection)
    return None if found is None else pd.Timestamp(found)


def _newest_month(observations: pd.DataFrame, now: pd.Timestamp) -> pd.Timestamp | None:
    """Return the first day of the last month that the figures tell of, None without figures."""
    if observations.empty:
        return None
    known = known_at(observations, key=OBSERVATION_KEY, as_of=now)
    return month_start(min(last_evidence_month(known), last_complete_month(now)))


def _stored_readings(rows: pd.DataFrame) -> tuple[Reading, ...]:
    names = [field.name for field in fields(Reading)]
    found = rows[names].to_dict("records")
    return tuple(Reading(**{str(name): value for name, value in row.items()}) for row in found)


def _other_commodities(engine: Engine) -> tuple[OtherCommodity, ...]:
    rows = read_newest(engine)
    return tuple(
        OtherCommodity(
            str(row["commodity"]),
            ""
            if pd.isna(row["as_of"])
            else f"{row['as_of']:%Y-%m-%d}, {row['cutoff'] + pd.DateOffset(months=1):%Y-%m} to "
            f"{row['last_period']:%Y-%m}, {row['status']}",
            str(row["last_run"]),
        )
        for row in rows.loc[rows["commodity"] != COMMODITY].to_dict("records")
    )
