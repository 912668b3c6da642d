"""The run-and-publish path: facts in, a published forecast and its report out, once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd

from flows.alerts import alert_if_possible
from flows.analysis.explain import explain_if_possible
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.jobs import recorded_job
from flows.context.prefect_runs import in_prefect, prefect_step
from flows.context.stores import (
    MAIN_JOB,
    made_store,
    marked_run,
    single_writer,
    store_of,
    table_run,
)
from flows.monitoring.monitors import watch_if_possible
from flows.publishing.evidence_pipeline import EvidencePipeline, open_evidence
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
from flows.publishing.reporting import write_run_report
from flows.publishing.run_config import MAGNETS, RunConfig
from flows.publishing.table_pipeline import TablePipeline, open_table_pipeline
from flows.training.backtest import verdict
from flows.training.predict import BacktestedForecast
from flows.training.promote import report_promoted
from models.forecasting.fallback import FAULTS, reason_of
from store.errors import DataError
from store.facts.evidence import save_label
from store.facts.reading import latest_forecast
from store.publications.publishing import held_forecasts, settle_runs
from store.settings import Settings
from store.vocabulary import COMMODITY

Pipeline = EvidencePipeline | TablePipeline
"""Both hold ``config`` and ``snapshot``, and have the same methods: ``is_current``, ``forecast``,
``fallback``, ``plausible_at``, ``panel``, ``made_with``, ``unknowns`` and ``events``."""


def open_pipeline(settings: Settings, as_of: pd.Timestamp, config: RunConfig) -> Pipeline | str:
    """Return the pipeline of a configuration, or why it cannot be forecast."""
    if config.is_main:
        return open_evidence(settings, as_of)
    return open_table_pipeline(settings, as_of, config)


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


def unchanged(pipeline: Pipeline) -> RunOutcome | None:
    """Return the forecast that the same facts, months and choices made already; None if new."""
    return _published_already(pipeline) or _held_already(pipeline)


def _published_already(pipeline: Pipeline) -> RunOutcome | None:
    snapshot, config = pipeline.snapshot, pipeline.config
    latest = latest_forecast(snapshot.engine, as_of=snapshot.as_of, commodity=config.published_as)
    if latest.empty or set(latest["data_vintage"]) != {snapshot.data_vintage}:
        return None
    as_of, number = latest["as_of"].iloc[0], int(latest["publication"].iloc[0])
    page = report_folder(snapshot.settings, config, as_of, number) / "index.html"
    if not page.exists() or not _is_like(pipeline, latest):
        return None
    news = f"nothing new since the forecast of {as_of:%Y-%m-%d}; nothing was published"
    echo(f"run       {config.prefix}{news}")
    return RunOutcome(commodity=config.published_as, forecasts=latest, report=page)


def _held_already(pipeline: Pipeline) -> RunOutcome | None:
    snapshot, config = pipeline.snapshot, pipeline.config
    key = config.published_as
    found = held_like(snapshot.engine, snapshot.as_of, snapshot.data_vintage, published_as=key)
    if found is None:
        return None
    table = held_forecasts(snapshot.engine, found.number)
    if not _is_like(pipeline, table):
        return None
    echo(f"run       {config.prefix}nothing new; publication {found.number} is {found.note}")
    folder = held_folder(report_folder(snapshot.settings, config, found.as_of, found.number))
    return RunOutcome(commodity=key, forecasts=table, report=folder / "index.html", held=found.note)


def _is_like(pipeline: Pipeline, rows: pd.DataFrame) -> bool:
    reaches = rows["period"].max() == pipeline.snapshot.last_period
    return reaches and pipeline.is_current(set(rows["model"]))


SEVERAL: Final = "the run on many commodities"
"""Name of such a run in alarms; of one commodity that failed the store tells."""

Result = RunOutcome | str
"""What a run left behind, or why it left nothing."""


def run(settings: Settings, as_of: pd.Timestamp, config: RunConfig = MAGNETS) -> RunOutcome:
    """Backtest, forecast, publish and report one configuration; does nothing twice.

    What is new is looked for first: a repeat without news starts no run of Prefect.
    """
    if config.is_main:
        made_store(settings)
    job = MAIN_JOB if config.is_main else table_run(config.published_as)
    with single_writer(settings), marked_run(settings, job):
        result = _results(settings, as_of, [config], keep_going=False)[config.published_as]
    if isinstance(result, str):
        raise DataError(result)
    _follow_up(settings, [result])
    return result


def run_each(
    settings: Settings, as_of: pd.Timestamp, configs: Sequence[RunConfig]
) -> dict[str, Result]:
    """Run several configurations, one after the other; one that fails stops no other.

    Each is published by itself, in one transaction.

    Returns:
        By key what became of it.
    """
    with single_writer(settings), marked_run(settings, SEVERAL):
        results = _results(settings, as_of, configs, keep_going=True)
        for config in configs:
            if isinstance(results[config.published_as], RunOutcome):
                save_label(store_of(settings), config.published_as, config.label, at=utc_now())
    _follow_up(settings, [one for one in results.values() if isinstance(one, RunOutcome)])
    return results


def _results(
    settings: Settings, as_of: pd.Timestamp, configs: Sequence[RunConfig], *, keep_going: bool
) -> dict[str, Result]:
    """Return by key what became of each; unless ``keep_going`` the first failure is raised."""
    settle_runs(store_of(settings), at=utc_now())
    results: dict[str, Result] = {}
    for config in configs:
        opened = open_pipeline(settings, as_of, config)
        results[config.published_as] = (
            opened if isinstance(opened, str) else run_pipeline(opened, keep_going=keep_going)
        )
    return results


def run_pipeline(pipeline: Pipeline, *, keep_going: bool = False) -> Result:
    """Publish a forecast unless it was published already; the next model in the chain helps out."""
    if (outcome := unchanged(pipeline)) is not None:
        return outcome
    snapshot, config = pipeline.snapshot, pipeline.config
    try:
        return in_prefect(
            "run",
            lambda: _recorded(pipeline),
            home=snapshot.settings.home,
            as_of=snapshot.as_of,
            about=config.published_as,
        )
    except FAULTS as err:
        if not keep_going:
            raise
        return str(err)


def _recorded(pipeline: Pipeline) -> RunOutcome:
    config = pipeline.config
    with recorded_job(pipeline.snapshot, config.flow, commodity=config.published_as):
        return _run(pipeline)


def _run(pipeline: Pipeline) -> RunOutcome:
    """Publish a forecast by the first model of the fallback chain that does not fail."""
    config, snapshot = pipeline.config, pipeline.snapshot
    try:
        with run_entry(config, snapshot) as entry:
            step = pipeline.forecast if config.is_main else prefect_step("table")(pipeline.forecast)
            return _publish(pipeline, step(entry))
    except FAULTS as err:
        fallback = pipeline.fallback(err)
        if fallback is None:
            report_promoted(snapshot.settings, snapshot.model_version)
            raise
        name = fallback.snapshot.model_version
        echo(f"run       {config.prefix}{reason_of(err)} Falling back to {name}.")
        return unchanged(fallback) or _run(fallback)


def _publish(pipeline: Pipeline, forecast: BacktestedForecast) -> RunOutcome:
    """Write the report, then publish: whoever reads the new numbers finds their report."""
    snapshot, config = pipeline.snapshot, pipeline.config
    draft = PublicationDraft(
        settings=snapshot.settings,
        engine=snapshot.engine,
        as_of=snapshot.as_of,
        data_vintage=snapshot.data_vintage,
        table=forecast.table,
        origin=pipeline.plausible_at(),
        config=config,
        made_with=pipeline.made_with(),
        panel=pipeline.panel(),
    )
    held = objections(draft)
    folder = draft_folder(draft)
    report = write_run_report(pipeline, forecast, held_folder(folder) if held else folder)
    scored = len(forecast.backtest.scores) > 0
    return RunOutcome(
        commodity=config.published_as,
        forecasts=forecast.table,
        report=report,
        rows_published=publish(draft, held),
        verdict=verdict(forecast.backtest) if scored else "no past origin could be scored",
        unknowns=[str(one) for one in pipeline.unknowns()],
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
