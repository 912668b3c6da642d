"""The run-and-publish path: facts in, a published forecast and its report out, once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from flows.alerts import alert_if_possible
from flows.analysis.explain import explain_if_possible
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.jobs import recorded_job
from flows.context.prefect_runs import in_prefect
from flows.context.run_config import MAGNETS, RunConfig
from flows.context.stores import made_store, single_writer, store_of
from flows.context.workspace import Workspace
from flows.monitoring.monitors import watch_if_possible
from flows.publishing.pipeline import forecast, is_current, open_known
from flows.publishing.publish import (
    PublicationDraft,
    draft_folder,
    held_folder,
    held_like,
    objections,
    publish,
    report_folder,
    run_entry,
)
from flows.publishing.reporting import run_report, write_run_report
from flows.training.backtest import verdict
from flows.training.promote import report_promoted
from models.evaluation.backtest import Backtest
from models.forecasting.fallback import FAULTS
from service.queries.unknowns import unknowns
from store.facts.reading import latest_forecast
from store.publications.publishing import held_forecasts, settle_runs
from store.settings import Settings
from store.vocabulary import COMMODITY


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What a run left behind."""

    commodity: str = COMMODITY
    """Key it is published under."""
    forecasts: pd.DataFrame
    report: Path
    rows_published: int = 0
    verdict: str = ""
    unknowns: list[str] = field(default_factory=list)
    is_new: bool = False
    held: str = ""
    """Why the forecast waits for a person; the one before it still stands."""

    @property
    def is_main(self) -> bool:
        return self.commodity == COMMODITY


def unchanged(known: Workspace) -> RunOutcome | None:
    """Return the forecast that the same facts, months and choices made already; None if new."""
    return _published_already(known) or _held_already(known)


def _published_already(known: Workspace) -> RunOutcome | None:
    config = known.config
    latest = latest_forecast(known.engine, as_of=known.as_of, commodity=config.published_as)
    if latest.empty or set(latest["data_vintage"]) != {known.data_vintage}:
        return None
    as_of, number = latest["as_of"].iloc[0], int(latest["publication"].iloc[0])
    page = report_folder(known.settings, config, as_of, number) / "index.html"
    if not page.exists() or not _is_like(known, latest):
        return None
    news = f"nothing new since the forecast of {as_of:%Y-%m-%d}; nothing was published"
    echo(f"run       {config.prefix}{news}")
    return RunOutcome(commodity=config.published_as, forecasts=latest, report=page)


def _held_already(known: Workspace) -> RunOutcome | None:
    config = known.config
    key = config.published_as
    found = held_like(known.engine, known.as_of, known.data_vintage, published_as=key)
    if found is None:
        return None
    table = held_forecasts(known.engine, found.number)
    if not _is_like(known, table):
        return None
    echo(f"run       {config.prefix}nothing new; publication {found.number} is {found.note}")
    folder = held_folder(report_folder(known.settings, config, found.as_of, found.number))
    return RunOutcome(commodity=key, forecasts=table, report=folder / "index.html", held=found.note)


def _is_like(known: Workspace, rows: pd.DataFrame) -> bool:
    reaches = rows["period"].max() == known.last_period
    return reaches and is_current(known, set(rows["model"]))


Result = RunOutcome | str
"""What a run left behind, or why it left nothing."""


def run(settings: Settings, as_of: pd.Timestamp, config: RunConfig = MAGNETS) -> RunOutcome:
    """Backtest, forecast, publish and report one configuration; does nothing twice.

    What is new is looked for first: a repeat without news starts no run of Prefect.
    """
    if config.is_main:
        made_store(settings)
    with single_writer(settings):
        settle_runs(store_of(settings), at=utc_now())
        outcome = run_known(open_known(settings, as_of, config))
    _follow_up(settings, [outcome])
    return outcome


def run_each(
    settings: Settings, as_of: pd.Timestamp, configs: Sequence[RunConfig]
) -> dict[str, Result]:
    """Run several configurations, one after the other; one that fails stops no other.

    Each is published by itself, in one transaction.

    Returns:
        By key what became of it.
    """
    results: dict[str, Result] = {}
    with single_writer(settings):
        settle_runs(store_of(settings), at=utc_now())
        for config in configs:
            key = config.published_as
            try:
                results[key] = run_known(open_known(settings, as_of, config))
            except FAULTS as err:
                results[key] = str(err)
    _follow_up(settings, [one for one in results.values() if isinstance(one, RunOutcome)])
    return results


def run_known(known: Workspace) -> RunOutcome:
    """Publish a forecast unless it was published already."""
    if (outcome := unchanged(known)) is not None:
        return outcome
    return in_prefect(
        "run",
        lambda: _recorded(known),
        home=known.settings.home,
        as_of=known.as_of,
        about=known.config.published_as,
    )


def _recorded(known: Workspace) -> RunOutcome:
    try:
        with recorded_job(known, known.config.flow), run_entry(known) as models:
            table, seen = forecast(known)
            if not known.config.is_main:  # of the magnets another destination may have another
                models.extend(table["model"].unique())
            return _publish(known, table, seen)
    except FAULTS:
        report_promoted(known)
        raise


def _publish(known: Workspace, table: pd.DataFrame, seen: Backtest) -> RunOutcome:
    """Write the report, then publish: whoever reads the new numbers finds their report."""
    draft = PublicationDraft(
        settings=known.settings,
        engine=known.engine,
        as_of=known.as_of,
        data_vintage=known.data_vintage,
        table=table,
        origin=known.origin,
        config=known.config,
        made_with=known.made_with,
        panel=known.panel,
    )
    held = objections(draft)
    folder = draft_folder(draft)
    state, notes = run_report(known, table, seen)
    return RunOutcome(
        commodity=known.config.published_as,
        forecasts=table,
        report=write_run_report(
            known.settings, state, notes, held_folder(folder) if held else folder
        ),
        rows_published=publish(draft, held),
        verdict=verdict(seen) if len(seen.scores) else "no past origin could be scored",
        unknowns=[*unknowns(state), *map(str, notes)],
        is_new=True,
        held=str(held or ""),
    )


def _follow_up(settings: Settings, outcomes: Sequence[RunOutcome]) -> None:
    """Explain, tell whoever waits, and measure drift; no trouble here undoes a publication."""
    if any(one.is_main and not one.held for one in outcomes):
        explain_if_possible(settings)
    alert_if_possible(settings, utc_now())
    if any(one.is_main and one.is_new and not one.held for one in outcomes):
        watch_if_possible(settings, utc_now())
