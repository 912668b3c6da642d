"""The main job: facts in, a published forecast and its report out."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
from prefect import flow
from prefect.artifacts import create_table_artifact

from features.asof import EVENT_KEY, known_at
from features.months import last_complete_month, month_label
from flows.alerts.alerts import alert_if_possible
from flows.clock import utc_now
from flows.context.console import say
from flows.context.provenance import git_commit
from flows.context.workspace import Workspace, open_workspace, single_writer, store_of
from flows.ingest.ingest import ingest
from flows.monitoring.monitors import watch_if_possible
from flows.monitoring.run_marker import noted
from flows.monitoring.spans import spanned
from flows.operations.prefect_events import PUBLISHED, alarm, tell
from flows.publishing.publish import (
    PublicationDraft,
    day_of,
    freeze,
    held_folder,
    held_like,
    objections,
)
from flows.publishing.unknowns import unknowns
from flows.training.backtest import backtest, verdict
from flows.training.predict import Forecast, predict
from flows.training.train import train
from models.evaluation.backtest import EvidenceBacktest
from models.registry import registry
from service.report.report import ReportInput, write_report
from store.errors import DataError, StoreError
from store.facts.reading import latest_forecast, read_events, read_runs
from store.publications.decisions import held_forecasts
from store.publications.publishing import RunRecord, finish_run, settle_runs, start_run
from store.schema.frame_schemas import validate
from store.settings import Settings
from store.vocabulary import MONTHS_AHEAD

ARTIFACT: Final = "world-forecast"
"""Key of the table that every run leaves in Prefect."""

MOST_LATE: Final = 12
"""Months without figures after which nothing is published any more."""

WORK: Final = "the main job"
"""Name of the run in alarms."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run left behind."""

    forecasts: pd.DataFrame
    report: Path
    rows_published: int
    verdict: str
    unknowns: list[str]
    is_new: bool
    held: str = ""
    """Why the forecast waits for a person; the one before it still stands."""


@flow(name="run", validate_parameters=False)
def run(settings: Settings, as_of: pd.Timestamp) -> RunOutcome:
    """Ingest, backtest, train, predict, publish and report; does nothing twice.

    Args:
        settings: Where things are kept.
        as_of: The moment to forecast at (UTC).
    """
    with single_writer(settings), noted(settings, WORK):
        ingest(settings)
        settle_runs(store_of(settings), at=utc_now())
        workspace = open_workspace(settings, as_of)
        _check_not_ancient(workspace)
        outcome = published_already(workspace) or held_already(workspace) or _publish_new(workspace)
    _leave_artifact(outcome)
    alert_if_possible(settings, utc_now())
    if outcome.held:
        alarm("held", outcome.held)
    elif outcome.is_new:
        tell(PUBLISHED, f"{as_of:%Y-%m-%d}", {"rows": outcome.rows_published})
        watch_if_possible(settings, utc_now())
    return outcome


def _check_not_ancient(workspace: Workspace) -> None:
    """Refuse to forecast from figures so old that the clock, or all providers, must be wrong.

    Raises:
        DataError: They are.
    """
    known = workspace.history.panel(workspace.as_of).cutoff
    late = last_complete_month(workspace.as_of) - known
    if late > MOST_LATE:
        raise DataError(
            f"The newest figures are of {month_label(known)}, {late} months before "
            f"{workspace.as_of:%Y-%m-%d}. Expected at most {MOST_LATE}: beyond, a forecast would "
            "be nonsense. Look at this machine's clock, then at the ingests; nothing was published."
        )


def published_already(workspace: Workspace) -> RunOutcome | None:
    """Return the day's forecast if the same facts, months and choices made it, else None."""
    latest = latest_forecast(workspace.engine, as_of=day_of(workspace.as_of))
    if latest.empty:
        return None
    last = month_label(last_complete_month(workspace.as_of) + MONTHS_AHEAD)
    if set(latest["data_vintage"]) != {workspace.fingerprint} or latest["period"].max() != last:
        return None
    folder = report_folder(workspace.settings, latest["as_of"].iloc[0])
    if not _was_trained(workspace) or not (folder / "index.html").exists():
        return None
    if not _is_by_champion(workspace, set(latest["model"])):
        return None
    day = f"{latest['as_of'].iloc[0]:%Y-%m-%d}"
    say(f"run       nothing new since the forecast of {day}; nothing was published")
    return RunOutcome(latest, folder / "index.html", 0, "", [], is_new=False)


def held_already(workspace: Workspace) -> RunOutcome | None:
    """Return the forecast that a person holds back if the same facts made it, else None."""
    found = held_like(workspace.engine, workspace.as_of, workspace.fingerprint)
    if found is None or not _was_trained(workspace):
        return None
    last = month_label(last_complete_month(workspace.as_of) + MONTHS_AHEAD)
    table = held_forecasts(workspace.engine, found.number)
    if table["period"].max() != last or not _is_by_champion(workspace, set(table["model"])):
        return None
    say(f"run       nothing new; publication {found.number} is {found.told}")
    folder = held_folder(report_folder(workspace.settings, found.as_of))
    return RunOutcome(table, folder / "index.html", 0, "", [], is_new=False, held=found.told)


def _was_trained(workspace: Workspace) -> bool:
    """Return whether a run with these facts and choices ended well, whoever it made champion."""
    runs = read_runs(workspace.engine)
    alike = runs["status"].eq("finished") & runs["data_vintage"].eq(workspace.fingerprint)
    trained = runs.loc[alike, "model_version"].fillna("")
    return bool(trained.str.contains(workspace.spec.digest, regex=False).any())


def _is_by_champion(workspace: Workspace, models: set[str]) -> bool:
    """Return whether who publishes now had a say in it: not so after a rollback, say."""
    try:
        champion = registry.champion(workspace.settings)
    except StoreError:
        return True  # nobody else could be asked
    if champion is None:
        return False
    if pd.Timestamp(champion.as_of) > workspace.as_of:
        return True
    return champion.model_version in models


def report_folder(settings: Settings, as_of: pd.Timestamp) -> Path:
    """Return where the report of an as_of lies."""
    return settings.reports_dir / f"{as_of:%Y-%m-%d}"


def _publish_new(workspace: Workspace) -> RunOutcome:
    settings, as_of = workspace.settings, workspace.as_of
    run_id = uuid.uuid4().hex
    start_run(
        workspace.engine,
        RunRecord(
            run_id=run_id,
            flow="run",
            as_of=as_of,
            data_vintage=workspace.fingerprint,
            started_at=utc_now(),
            git_commit=git_commit(),
            model_version=workspace.model_version,
        ),
    )
    status = "failed"
    try:
        seen = backtest(settings, as_of)
        version = _trained(settings, as_of, seen)
        outcome = _publish(workspace, predict(settings, as_of, seen, version), seen)
        status = "finished"
    finally:
        finish_run(workspace.engine, run_id, status=status, finished_at=utc_now())
    return outcome


def _trained(settings: Settings, as_of: pd.Timestamp, seen: EvidenceBacktest) -> int | None:
    """Train; where models cannot be kept, say so and let the ladder answer."""
    try:
        return train(settings, as_of, seen)
    except StoreError as err:
        say(f"train     nothing was registered: {err}")
        return None


@spanned("publish", lambda outcome: {"rows": outcome.rows_published})
def _publish(workspace: Workspace, made: Forecast, seen: EvidenceBacktest) -> RunOutcome:
    """Write the report, then publish: whoever reads the new numbers finds their report."""
    draft = PublicationDraft(
        settings=workspace.settings,
        engine=workspace.engine,
        as_of=workspace.as_of,
        data_vintage=workspace.fingerprint,
        table=made.table,
        origin=workspace.history.origin(workspace.as_of),
        panel=workspace.history.panel(workspace.as_of).stored,
    )
    held = objections(draft)
    folder = report_folder(workspace.settings, workspace.as_of)
    report = _report(workspace, made, seen, held_folder(folder) if held else folder)
    rows = freeze(draft, held)
    said = verdict(seen) if len(seen.scores) else "no past origin could be scored"
    missing = unknowns(workspace, workspace.history.panel(workspace.as_of))
    return RunOutcome(made.table, report, rows, said, missing, is_new=True, held=held)


def _report(workspace: Workspace, made: Forecast, seen: EvidenceBacktest, folder: Path) -> Path:
    panel = workspace.history.panel(workspace.as_of)
    events = known_at(
        read_events(workspace.engine, as_of=workspace.as_of), key=EVENT_KEY, as_of=workspace.as_of
    )
    return write_report(
        ReportInput(
            as_of=workspace.as_of,
            cutoff=month_label(panel.cutoff),
            forecasts=made.table,
            panel=validate(panel.frame, "panel", where="the evidence panel"),
            events=events,
            scores=seen.scores,
            suspicious=panel.suspicious,
            unknowns=unknowns(workspace, panel),
            model_version=made.model_version,
            data_vintage=workspace.fingerprint,
            pictures=workspace.settings.pictures,
        ),
        folder,
    )


def _leave_artifact(outcome: RunOutcome) -> None:
    """Leave the world's forecast as a table in Prefect."""
    world = outcome.forecasts.loc[outcome.forecasts["destination"] == "WLD"]
    table = world[["period", "p10", "p50", "p90"]].round(0).to_dict(orient="list")
    told = f"HELD: {outcome.held}." if outcome.held else f"{outcome.rows_published} rows published."
    create_table_artifact(
        table={str(name): values for name, values in table.items()},
        key=ARTIFACT,
        description=f"World, tonnes. {told} {outcome.verdict}",
    )
