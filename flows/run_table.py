"""The main job on a full partner table: replayed, forecast, published and reported, once."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from features.asof import EVENT_KEY, known_at
from features.months import month_label
from flows.backtest import own_metrics, verdict
from flows.clock import utc_now
from flows.console import say, track
from flows.provenance import git_commit
from flows.table_stand import TableStand, open_table
from flows.workspace import single_writer
from models import tracking
from models.backtest import Backtest
from models.rolling import MODEL
from models.scores import hit_rates
from models.tables import backtest_tables, forecast_table, history_of
from service.table_report import TableReport, write_table_report
from store.publishing import Run, finish_run, publish_forecasts, start_run, write_scores
from store.reading import latest_forecast, read_events
from store.settings import Settings

FLOW: Final = "run-table"

replay_task = task(name="replay-table", cache_policy=NO_CACHE)(backtest_tables)
forecast_task = task(name="forecast-table", cache_policy=NO_CACHE)(forecast_table)


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """What a run on a table left behind."""

    commodity: str
    forecasts: pd.DataFrame
    report: Path
    rows_published: int
    verdict: str
    notes: tuple[str, ...]
    is_new: bool


@flow(name=FLOW, validate_parameters=False)
def run_table(settings: Settings, as_of: pd.Timestamp, commodity: str) -> TableOutcome:
    """Replay, forecast, publish and report the table of a commodity; does nothing twice.

    Args:
        settings: Where things are kept.
        as_of: The moment to forecast at (UTC).
        commodity: Whose table.

    Raises:
        DataError: The store held no full table of it by then.
    """
    with single_writer(settings):
        stand = open_table(settings, as_of, commodity)
        return published_already(stand) or _publish_new(stand)


def published_already(stand: TableStand) -> TableOutcome | None:
    """Return the standing forecast if the same figures, months and choices made it, else None."""
    latest = latest_forecast(stand.engine, as_of=stand.as_of, commodity=stand.published_as)
    if latest.empty:
        return None
    last = month_label(stand.table.cutoff + stand.table.horizon)
    told = (set(latest["data_vintage"]), latest["period"].max())
    page = report_folder(stand, latest["as_of"].iloc[0]) / "index.html"
    same_choices = latest["model"].str.startswith(f"partners-{stand.spec.digest}-").all()
    if told != ({stand.table.digest}, last) or not same_choices or not page.exists():
        return None
    day = f"{latest['as_of'].iloc[0]:%Y-%m-%d}"
    say(f"run       {stand.published_as}: nothing new since the forecast of {day}")
    return TableOutcome(stand.published_as, latest, page, 0, "", (), is_new=False)


def report_folder(stand: TableStand, as_of: pd.Timestamp) -> Path:
    """Return where the report of an as_of lies."""
    return stand.settings.reports_dir / f"{as_of:%Y-%m-%d}-{stand.published_as}"


def forecast_of(stand: TableStand, seen: Backtest | None = None) -> pd.DataFrame:
    """Return the forecast of a table in the columns of a forecast file, with band_hit_rate."""
    made = forecast_task(stand.table, stand.spec, status=stand.status)
    made = made.assign(model=stand.model_version)
    if seen is not None and len(seen.cells):
        made["band_hit_rate"] = made["destination"].map(hit_rates(seen.cells, MODEL))
    return made


def _publish_new(stand: TableStand) -> TableOutcome:
    run_id = uuid.uuid4().hex
    started = Run(
        run_id=run_id,
        flow=FLOW,
        as_of=stand.as_of,
        data_vintage=stand.table.digest,
        started_at=utc_now(),
        git_commit=git_commit(),
        model_version=stand.model_version,
    )
    start_run(stand.engine, started)
    status = "failed"
    mlflow_run = None
    try:
        for note in stand.table.notes:
            say(f"table     {note}")
        seen = replay_task(stand.past(), stand.table, stand.spec, track=track)
        mlflow_run = _record(stand, seen)
        outcome = _publish(stand, forecast_of(stand, seen), seen)
        status = "finished"
    finally:
        finish_run(
            stand.engine, run_id, status=status, finished_at=utc_now(), mlflow_run_id=mlflow_run
        )
    return outcome


def _record(stand: TableStand, seen: Backtest) -> str:
    """Keep scores in the store and the run in MLflow; return MLflow's name of it."""
    if len(seen.scores):
        own = seen.scores["model"] == MODEL
        named = seen.scores.assign(
            as_of=stand.as_of, model=seen.scores["model"].where(~own, stand.model_version)
        )
        write_scores(stand.engine, named, commodity=stand.published_as)
    with tracking.open_run(
        stand.settings, name=f"table {stand.published_as}", tags=_tags(stand)
    ) as run:
        run.params(stand.spec.choices)
        if len(seen.scores):
            run.metrics(own_metrics(seen.scores))
            run.table(seen.scores, "scores.csv")
        return run.run_id


def _tags(stand: TableStand) -> dict[str, str]:
    return {
        "flow": FLOW,
        "commodity": stand.published_as,
        "as_of": stand.as_of.isoformat(),
        "data_vintage": stand.table.digest,
        "git_commit": git_commit(),
        "model_version": stand.model_version,
    }


def _publish(stand: TableStand, made: pd.DataFrame, seen: Backtest) -> TableOutcome:
    """Write the report, then publish: whoever reads the new numbers finds their report."""
    events = known_at(
        read_events(stand.engine, as_of=stand.as_of), key=EVENT_KEY, as_of=stand.as_of
    )
    report = TableReport(
        commodity=stand.table.commodity,
        as_of=stand.as_of,
        cutoff=month_label(stand.table.cutoff),
        forecasts=made,
        history=history_of(stand.table),
        events=events,
        scores=seen.scores,
        notes=stand.table.notes,
        model_version=stand.model_version,
        data_vintage=stand.table.digest,
    )
    page = write_table_report(report, report_folder(stand, stand.as_of))
    rows = publish_forecasts(
        stand.engine,
        made,
        as_of=stand.as_of,
        data_vintage=stand.table.digest,
        commodity=stand.published_as,
    )
    count = made["destination"].nunique()
    say(
        f"publish   {stand.published_as}: {rows} rows of {count} series as of {stand.as_of:%Y-%m-%d}"
    )
    said = verdict(seen) if len(seen.scores) else "no past origin could be scored"
    return TableOutcome(stand.published_as, made, page, rows, said, stand.table.notes, is_new=True)
