"""The run-and-publish path: facts in, a publication and the site of it out, once.

After each publication, and daily, it is measured how often published bands cover the outcome.
"""

import math
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd

from flows.clock import utc_now
from flows.context.console import echo
from flows.context.prefect_runs import in_prefect, prefect_step
from flows.context.run_config import MAGNETS, RunConfig
from flows.context.stores import made_store, single_writer, store_of
from flows.context.workspace import Workspace, open_workspace
from flows.ingest.ingest import ingest
from flows.publishing.follow_up import follow_up
from flows.publishing.publish_or_hold import objections, publish, run_entry
from flows.training.backtest_records import backtest, read_cells, recorded_job, verdict
from flows.training.predict import forecast, rule_at
from flows.training.train import train
from models.evaluation.backtest import Backtest
from models.forecasting.fallback import FAULTS, REPLAY, reason_of
from models.forecasting.model_names import FALLBACK_PREFIXES, fallback_of
from models.monitoring import Reading, coverage_reading
from models.registry import model_registry
from models.registry.champions import Champions, read_champions
from models.registry.runs import find_runs
from store.errors import StoreError
from store.facts.reading import latest_forecast, read_forecasts, read_publication, read_runs
from store.messages import from_json, to_json
from store.publications.integrity import read_publications
from store.publications.publication_rows import COVERAGE_DRIFT, latest_reading, save_reading
from store.publications.publication_writing import close_runs, held_forecasts
from store.settings import Settings
from store.vocabulary import COMMODITY


@prefect_step("watch")
def watch(settings: Settings, moment: pd.Timestamp) -> Reading | None:
    """Measure coverage, store and return it; None before a publication or a backtest."""
    engine = store_of(settings)
    forecasts = read_forecasts(engine)
    if forecasts.empty:
        return None
    backtests = find_runs(settings, {"flow": "backtest", "commodity": COMMODITY})[:1]
    if not backtests or (replayed := read_cells(settings, backtests[0].info.run_id)).empty:
        return None
    by_period = forecasts.assign(period=pd.to_datetime(forecasts["period"]))
    reading = coverage_reading(replayed, by_period.sort_values("as_of"))
    save_reading(engine, _row(reading), at=moment, as_of=forecasts["as_of"].max())
    return reading


def watch_if_possible(settings: Settings, moment: pd.Timestamp) -> None:
    """As ``watch``, with messages; an error here fails no publication, which is stored already."""
    try:
        reading = watch(settings, moment)
        if reading is not None and reading.fired:
            echo(f"watch     ALARM {COVERAGE_DRIFT}: {reading.words}")
    except Exception as err:  # noqa: BLE001 - `status` reports that nothing was measured
        echo(f"watch     not measured ({type(err).__name__}: {err})")


def _row(reading: Reading) -> dict[str, object]:
    row = {**asdict(reading), "monitor": COVERAGE_DRIFT, "words": to_json(reading.words)}
    return row | {n: None if math.isnan(row[n]) else row[n] for n in ("value", "bound")}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """What a run left behind."""

    commodity: str = COMMODITY
    """Key it is published under."""
    forecasts: pd.DataFrame
    rows_published: int = 0
    verdict: str = ""
    notes: list[str] = field(default_factory=list)
    """What is odd about the figures."""
    is_new: bool = False
    held: str = ""
    """Why the forecast waits for a person; the one before it still stands."""
    fallback: str = ""
    """Which fallback forecast every destination in place of a model, and why; empty if none."""
    site: Path | None = None
    """Where readers find it; None where it could not be written."""


def run(settings: Settings, as_of: pd.Timestamp, config: RunConfig = MAGNETS) -> RunOutcome:
    """Backtest, forecast, publish and show one configuration; does nothing twice.

    What is new is looked for first: a repeat without news starts no run of Prefect.
    """
    if not config.table_key:
        made_store(settings)
    with single_writer(settings):
        close_runs(store_of(settings), at=utc_now())
        outcome = run_workspace(open_for_run(settings, as_of, config))
    is_shown = not config.table_key and not outcome.held
    if is_shown and (outcome.is_new or not _is_watched(settings)):
        watch_if_possible(settings, utc_now())
    return replace(outcome, site=follow_up(settings, is_explained=is_shown))


def open_for_run(settings: Settings, as_of: pd.Timestamp, config: RunConfig) -> Workspace:
    """Workspace of a configuration, from figures recent enough for a forecast."""
    if not config.table_key:  # tables are ingested by hand
        ingest(settings)
    workspace = open_workspace(settings, as_of, config)
    workspace.check_recent()
    return workspace


def run_workspace(workspace: Workspace) -> RunOutcome:
    """Publish a forecast unless it was published already."""
    _tell_lost(workspace)
    if (outcome := unchanged(workspace)) is not None:
        return outcome
    with run_entry(workspace) as models:  # before Prefect starts, which takes seconds
        return in_prefect(
            "run",
            lambda: _recorded(workspace, models),
            home=workspace.settings.home,
            as_of=workspace.as_of,
            about=workspace.config.published_as,
        )


def _tell_lost(workspace: Workspace) -> None:
    """Say that MLflow has no champion any more; the next one needs none before it."""
    with suppress(StoreError):  # the fallback chain says it
        if number := _champions(workspace).lost:
            of, option = workspace.config.prefix, workspace.config.option
            echo(
                f"models    {of}MLflow names no champion; version {number} was the last. The model "
                f"that is trained now takes its place, or `magnetcast promote {number}{option}`."
            )


def _champions(workspace: Workspace) -> Champions:
    return read_champions(workspace.settings, workspace.engine, workspace.config.model)


def unchanged(workspace: Workspace) -> RunOutcome | None:
    """Earlier forecast, published or held, of the same facts, months and parameters, if any."""
    key = workspace.config.published_as
    publications = read_publications(workspace.engine, commodity=key).sort_values(["as_of", "id"])
    publications = publications.loc[publications["as_of"] <= workspace.as_of]
    newest = [publications.loc[publications["state"] == "published"].tail(1), publications.tail(1)]
    for publication in pd.concat(newest).to_dict("records"):
        is_published, number = publication["state"] == "published", int(publication["id"])
        if publication["data_vintage"] != workspace.data_vintage:
            continue
        rows = (read_publication if is_published else held_forecasts)(workspace.engine, number)
        if rows["period"].max() != workspace.last_period or not is_current(
            workspace, set(rows["model"])
        ):
            continue
        if is_published:
            held, day = "", f"{publication['as_of']:%Y-%m-%d}"
            news = f"nothing new since the forecast of {day}; nothing was published"
        else:
            reason = publication["note"] or from_json(publication["held_because"])
            held = f"{publication['state']}: {reason}"
            news = f"nothing new; publication {number} is {held}"
        echo(f"run       {workspace.config.prefix}{news}")
        fallback = _fallback(workspace, rows)
        return RunOutcome(commodity=key, forecasts=rows, held=held, fallback=fallback)
    return None


def is_current(workspace: Workspace, models: set[str]) -> bool:
    """Whether the same models would publish again; after a rollback they would not."""
    try:
        champions = _champions(workspace)
    except StoreError:
        return True  # no model could be loaded
    champion = champions.champion
    if rule := rule_at(workspace, champions):
        name = f"{FALLBACK_PREFIXES[rule['rule']]}-{workspace.parameters_digest}"
        return _was_trained(workspace) and name in models
    if champion is None:
        return not workspace.is_always_trained and all(
            workspace.parameters_digest in name for name in models
        )
    if not _was_trained(workspace):
        return False
    return pd.Timestamp(champion.as_of) > workspace.as_of or champion.model_version in models


def _was_trained(workspace: Workspace) -> bool:
    """Whether a run from these facts and parameters finished, whichever model became champion."""
    try:
        versions = model_registry.versions(workspace.settings, workspace.config.model)
    except StoreError:
        return True  # no other model could be loaded
    trained_from = (workspace.parameters_digest, workspace.data_vintage)
    if any((version.recipe, version.data_vintage) == trained_from for version in versions):
        return True  # a table's run is named after the model that forecast
    runs = read_runs(workspace.engine)
    alike = runs["status"].eq("finished") & runs["data_vintage"].eq(workspace.data_vintage)
    trained = runs.loc[alike, "model_version"].fillna("")
    return bool(trained.str.contains(workspace.parameters_digest, regex=False).any())


def _recorded(workspace: Workspace, models: list[str]) -> RunOutcome:
    with recorded_job(workspace, workspace.config.flow):
        table, result = backtested_forecast(workspace)
        if not workspace.is_always_trained:  # a run is named by the model that it trains
            models.append(table["model"].mode()[0])
        return _publish(workspace, table, result)


def backtested_forecast(workspace: Workspace) -> tuple[pd.DataFrame, Backtest]:
    """Forecast by the first model of the fallback chain that can, and the backtest.

    A partner table whose backtest fails is forecast without new scores.
    """
    try:
        result = backtest(workspace)
    except FAULTS as err:
        if workspace.is_always_trained:
            raise
        echo(f"run       {workspace.config.prefix}nothing was scored: {reason_of(err).strip()}")
        return forecast(workspace), Backtest.none()
    return forecast(workspace, result, _trained(workspace, result)), result


def _trained(workspace: Workspace, result: Backtest) -> int | None:
    try:
        return train(workspace, result)
    except FAULTS as err:
        echo(f"train     {workspace.config.prefix}nothing was registered: {err}")
        return None


def _publish(workspace: Workspace, table: pd.DataFrame, result: Backtest) -> RunOutcome:
    """Publish, or hold where a check objects."""
    held, key = objections(workspace, table), workspace.config.published_as
    return RunOutcome(
        commodity=key,
        forecasts=table,
        rows_published=publish(workspace, table, held),
        verdict=verdict(result) if len(result.scores) else "no past origin could be scored",
        notes=[str(note) for note in workspace.notes],
        is_new=True,
        held=str(held or ""),
        fallback=_fallback(workspace, table),
    )


def _fallback(workspace: Workspace, forecasts: pd.DataFrame) -> str:
    """Which fallback forecast every destination, and why, where a model was expected to."""
    status, reason = fallback_of(forecasts)
    is_expected = workspace.is_always_trained or not reason.startswith(f"{REPLAY}: ")
    return f"{status} ({reason})" if status and is_expected else ""


def _is_watched(settings: Settings) -> bool:
    """Whether coverage was measured after the newest publication."""
    engine = store_of(settings)
    return bool(latest_reading(engine)["as_of"].max() >= latest_forecast(engine)["as_of"].max())
