"""What the schedule starts: the entry points of ``prefect.yaml``, thin over the flows of people.

Each uses the moment it starts, so that it knows what an ingest of the same day brought.
"""

from typing import Final, get_args

import pandas as pd
from prefect import flow
from prefect.concurrency.sync import concurrency
from prefect.runtime import flow_run

from flows.backup.backup import back_up, prune
from flows.cli.run_commands import run_tables_and_tell
from flows.clock import utc_now, utc_today
from flows.context.stores import single_writer
from flows.ingest.ingest import ingest_exclusively
from flows.ingest.sources import live, months_to_fetch
from flows.monitoring.health import examine
from flows.monitoring.monitors import watch_if_possible
from flows.operations.prefect_events import CHECKED, TRAINING, alarm, emit
from flows.panels.tune import TRIALS, TuningRequest, evidence_file, tune
from flows.run import run
from flows.training.backtest import backtest
from models.monitoring.readings import Monitor
from store.errors import DataError
from store.settings import Settings

BACKUPS_KEPT: Final = 8


def _run_name() -> str:
    """Return what names a run: its flow, what it is asked for, and the day."""
    asked = map(str, flow_run.parameters.values())
    return " ".join([str(flow_run.flow_name), *asked, f"{utc_today():%Y-%m-%d}"])


@flow(name="scheduled-ingest", flow_run_name=_run_name, retries=3, retry_delay_seconds=600)
def ingest_source(source: str) -> None:
    """Bring one source up to date; a provider that is away is asked again.

    Args:
        source: Id of a live source, or ``bundled``.
    """
    settings = Settings()
    if source == "bundled":
        ingest_exclusively(settings, None, source="the bundled tables")
        return
    request = live(settings, source, months_to_fetch(settings, source, since=None, until=None))
    ingest_exclusively(settings, request, source=source)


@flow(name="scheduled-publication", flow_run_name=_run_name, retries=3, retry_delay_seconds=900)
def publish() -> None:
    """Run the main job; where nothing is new, or it was done before, nothing is published."""
    settings, now = Settings(), _moment()
    with concurrency(TRAINING, occupy=1):
        run_tables_and_tell(settings, now)
        run(settings, now)


@flow(name="scheduled-check", flow_run_name=_run_name)
def check() -> None:
    """Measure, then fail if anything is stale, degraded or broken: a failed run is what is noticed.

    Raises:
        DataError: What is wrong.
    """
    settings, now = Settings(), utc_now()
    watch_if_possible(settings, now)
    health = examine(settings, now)
    for one in health.alarms:
        if one.alarm not in get_args(Monitor):
            alarm(one.alarm, one.message)  # the monitors sent theirs themselves
    emit(CHECKED, "check", {"code": health.code})
    if health.code:
        raise DataError("\n".join(f"{one.alarm}: {one.message}" for one in health.alarms))


@flow(name="scheduled-backtest", flow_run_name=_run_name, retries=1, retry_delay_seconds=900)
def backtest_week() -> None:
    """Backtest on what is known now, and keep the scores."""
    settings = Settings()
    with concurrency(TRAINING, occupy=1), single_writer(settings):
        backtest(settings, _moment())


@flow(name="scheduled-tuning", flow_run_name=_run_name)
def tune_quarter(trials: int = TRIALS) -> None:
    """Tune the panel engine on the evidence panel; the result goes to MLflow and is not applied."""
    settings, now = Settings(), _moment()
    path = evidence_file(settings, now)
    with concurrency(TRAINING, occupy=1):
        tune(settings, TuningRequest(trials, str(path), None, "6"))


@flow(name="scheduled-backup", flow_run_name=_run_name, retries=2, retry_delay_seconds=900)
def keep_safe() -> None:
    """Back up, keep the newest backups, and delete old runs and raw answers."""
    settings, now = Settings(), utc_now()
    back_up(settings, settings.backups_dir / f"magnetcast-{now:%Y%m%d-%H%M%S}.tar.zst")
    made = sorted(settings.backups_dir.glob("magnetcast-*.tar.zst"))
    for old in made[:-BACKUPS_KEPT]:
        old.unlink()
    prune(settings, now)


def _moment() -> pd.Timestamp:
    """Return now, to the second: what is published must be writable as it is named."""
    return utc_now().floor("s")
