"""The main job on a full partner table: replayed, forecast, published and reported, once."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from features.months import month_label
from features.panel.partner_table import PartnerTable
from flows.clock import utc_now
from flows.context.console import say, track
from flows.context.provenance import git_commit
from flows.context.workspace import single_writer, store_of
from flows.monitoring.run_marker import noted, run_on
from flows.publishing.panels import table_panel
from flows.publishing.publish import (
    PublicationDraft,
    day_of,
    freeze,
    held_folder,
    held_like,
    objections,
)
from flows.publishing.table_records import FLOW, record
from flows.publishing.table_snapshot import TableSnapshot, forecast_of, open_table
from flows.training.backtest import verdict
from models.evaluation.backtest import Backtest, backtest_group
from models.forecasting.commodity_groups import CommodityGroup
from models.forecasting.panel_snapshot import known_months
from service.report.table_report import TableReport, write_table_report
from store.facts.reading import latest_forecast
from store.publications.decisions import held_forecasts
from store.publications.publishing import RunRecord, finish_run, settle_runs, start_run
from store.settings import Settings

backtest_task = task(name="backtest-table", cache_policy=NO_CACHE)(backtest_group)
forecast_task = task(name="forecast-table", cache_policy=NO_CACHE)(forecast_of)


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """What a run on a table left behind."""

    commodity: str
    forecasts: pd.DataFrame
    report: Path
    rows_published: int
    verdict: str
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
        settle_runs(store_of(settings), at=utc_now())
        # A table too short to forecast is no work that broke off: the caller hears of it.
        stand = open_table(settings, as_of, commodity)
        with noted(settings, run_on(stand.published_as)):
            return published_already(stand) or held_already(stand) or _publish_new(stand)


def published_already(stand: TableSnapshot) -> TableOutcome | None:
    """Return the standing forecast if the same figures, months and choices made it, else None."""
    latest = latest_forecast(stand.engine, as_of=day_of(stand.as_of), commodity=stand.published_as)
    if latest.empty or set(latest["data_vintage"]) != {stand.data_vintage}:
        return None
    made_alike = latest["model"].str.startswith(stand.model_family).all()
    last = month_label(stand.table.cutoff + stand.table.horizon)
    page = report_folder(stand, latest["as_of"].iloc[0]) / "index.html"
    if not made_alike or latest["period"].max() != last or not page.exists():
        return None
    day = f"{latest['as_of'].iloc[0]:%Y-%m-%d}"
    say(f"run       {stand.published_as}: nothing new since the forecast of {day}")
    return TableOutcome(stand.published_as, latest, page, 0, "", is_new=False)


def held_already(stand: TableSnapshot) -> TableOutcome | None:
    """Return the forecast that a person holds back if the same figures made it, else None."""
    key = stand.published_as
    found = held_like(stand.engine, stand.as_of, stand.data_vintage, published_as=key)
    if found is None:
        return None
    table = held_forecasts(stand.engine, found.number)
    last = month_label(stand.table.cutoff + stand.table.horizon)
    if table["period"].max() != last or not table["model"].str.startswith(stand.model_family).all():
        return None
    say(f"run       {key}: nothing new; publication {found.number} is {found.told}")
    page = held_folder(report_folder(stand, found.as_of)) / "index.html"
    return TableOutcome(key, table, page, 0, "", is_new=False)


def report_folder(stand: TableSnapshot, as_of: pd.Timestamp) -> Path:
    """Return where the report of an as_of lies."""
    return stand.settings.reports_dir / f"{as_of:%Y-%m-%d}-{stand.published_as}"


def _publish_new(stand: TableSnapshot) -> TableOutcome:
    with open_table_run(stand) as kept:
        past = stand.past()
        notes = notes_of(stand, past)
        now, groups = CommodityGroup.alone(stand.table), [CommodityGroup.alone(one) for one in past]
        [seen] = backtest_task(stand.forecaster, groups, now, track=track).values()
        kept.mlflow_run_id = record(stand, seen)
        return publish(stand, forecast_task(stand, seen), seen, notes)


@dataclass(slots=True)
class TableRun:
    """What becomes known of a run while it runs."""

    mlflow_run_id: str | None = None
    failed: bool = False


@contextmanager
def open_table_run(stand: TableSnapshot) -> Iterator[TableRun]:
    """Keep in the store that a run on a table began, and how it ended."""
    run_id, kept = uuid.uuid4().hex, TableRun()
    started = RunRecord(
        run_id=run_id,
        flow=FLOW,
        as_of=stand.as_of,
        data_vintage=stand.data_vintage,
        started_at=utc_now(),
        git_commit=git_commit(),
        model_version=stand.model_version,
        commodity=stand.published_as,
    )
    start_run(stand.engine, started)
    status = "failed"
    try:
        yield kept
        status = "failed" if kept.failed else "finished"
    finally:
        finish_run(
            stand.engine,
            run_id,
            status=status,
            finished_at=utc_now(),
            mlflow_run_id=kept.mlflow_run_id,
        )


def notes_of(stand: TableSnapshot, past: Sequence[PartnerTable]) -> tuple[str, ...]:
    """Return what is odd of a table and its past, and say it."""
    notes = (*stand.table.notes, *hindsight(past))
    for note in notes:
        say(f"table     {note}")
    return notes


def hindsight(past: Sequence[PartnerTable]) -> tuple[str, ...]:
    """Say how many of the past tables that were replayed are not as they were known then."""
    revised = sum(table.is_revised for table in past)
    if not revised:
        return ()
    told = (
        f"{revised} of the {len(past)} past tables that were replayed are today's, cut short, for "
        "nothing tells what was known then: later revisions are in the scores and hit rates, "
        "never in a forecast."
    )
    return (told,)


def publish(
    stand: TableSnapshot, made: pd.DataFrame, seen: Backtest, notes: tuple[str, ...]
) -> TableOutcome:
    """Write the report, then publish: whoever reads the new numbers finds their report."""
    key = stand.published_as
    draft = PublicationDraft(
        settings=stand.settings,
        engine=stand.engine,
        as_of=stand.as_of,
        data_vintage=stand.data_vintage,
        table=made,
        figures=stand.table.commodity,
        published_as=key,
        group=stand.group,
        panel=table_panel(stand.table, stand.observations),
    )
    held = objections(draft)
    folder = report_folder(stand, stand.as_of)
    page = write_table_report(
        _report(stand, made, seen, notes), held_folder(folder) if held else folder
    )
    rows = freeze(draft, held)
    said = verdict(seen) if len(seen.scores) else "no past origin could be scored"
    return TableOutcome(key, made, page, rows, said, is_new=True)


def _report(
    stand: TableSnapshot, made: pd.DataFrame, seen: Backtest, notes: tuple[str, ...]
) -> TableReport:
    return TableReport(
        commodity=stand.table.commodity,
        as_of=stand.as_of,
        cutoff=month_label(stand.table.cutoff),
        forecasts=made,
        history=known_months(stand.table),
        scores=seen.scores,
        notes=notes,
        model_version=stand.model_version,
        data_vintage=stand.data_vintage,
        pictures=stand.settings.pictures,
        label=stand.label,
    )
