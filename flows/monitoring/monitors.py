"""Measures after each publication, and daily, whether what is published can still be trusted.

What is found is kept in the store: `magnetcast status` and the service's metrics read it there.
"""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pandas as pd
from sqlalchemy import Engine

from flows.context.console import echo
from flows.context.prefect_runs import prefect_step
from flows.context.stores import store_of
from flows.context.workspace import Workspace, open_workspace
from flows.monitoring.health import MAIN, slo_readings
from models.monitoring.drift import error_readings, published_cells
from models.monitoring.feature_drift import feature_readings
from models.monitoring.readings import Reading, contradictions, durations
from models.registry import model_store, registry
from models.registry.runs import find_runs, read_text
from sources.bundled.release_calendar import ReleaseCalendar
from store.errors import StoreError
from store.facts.reading import read_calendar, read_forecasts, read_observations, read_runs
from store.publications.panels import panel_behind
from store.publications.published import save_readings
from store.settings import Settings
from store.vocabulary import COMMODITY


@prefect_step("watch")
def watch(settings: Settings, now: pd.Timestamp) -> list[Reading]:
    """Measure everything, keep it, and return it; empty where nothing was published.

    Args:
        settings: Where things are kept.
        now: The moment (UTC).

    Raises:
        StoreError: The store or MLflow cannot be read.
    """
    engine = store_of(settings)
    forecasts = read_forecasts(engine)
    if forecasts.empty:
        return []
    as_of = pd.Timestamp(forecasts["as_of"].max())
    found = list(measured(settings, engine, forecasts, now))
    save_readings(engine, [_told(one) for one in found], at=now, as_of=as_of)
    return found


def watch_if_possible(settings: Settings, now: pd.Timestamp) -> list[Reading]:
    """As ``watch``, with messages; an error here fails no publication, which is stored already."""
    try:
        found = watch(settings, now)
    except Exception as err:  # noqa: BLE001 - `status` reports that nothing was measured
        echo(f"watch     not measured ({type(err).__name__}: {err})")
        return []
    for one in found:
        if one.fired:
            echo(f"watch     ALARM {one.monitor}: {one.words}")
    if found:
        echo(f"watch     {len(found)} things measured, {sum(one.fired for one in found)} alarms")
    return found


def measured(
    settings: Settings, engine: Engine, forecasts: pd.DataFrame, now: pd.Timestamp
) -> Iterator[Reading]:
    """Yield what every monitor finds, without keeping it.

    Args:
        settings: Where things are kept.
        engine: An opened store.
        forecasts: As ``read_forecasts``.
        now: The moment (UTC).
    """
    moments = sorted(pd.Timestamp(moment) for moment in forecasts["as_of"].unique())
    workspace = open_workspace(settings, moments[-1])
    runs = read_runs(engine)
    figures = read_observations(engine, as_of=now, commodity=COMMODITY)
    calendar = ReleaseCalendar.from_frame(read_calendar(engine, as_of=now))
    yield from slo_readings(forecasts, runs, figures, calendar, now)
    yield durations(_seconds(runs))
    panels = [
        panel_behind(engine, as_of=moment) or workspace.history.panel(moment).stored
        for moment in moments[-2:]
    ]
    yield contradictions(panels[-1].contradictions, panels[0].contradictions)
    yield from _if_kept(lambda: _errors(settings, forecasts))
    yield from _if_kept(lambda: _features(workspace))


def _if_kept(measure: Callable[[], list[Reading]]) -> list[Reading]:
    """Measure what rests on MLflow; where that cannot be read the rest is measured all the same."""
    try:
        return measure()
    except StoreError as err:
        echo(f"watch     not all was measured: {err}")
        return []


def _errors(settings: Settings, forecasts: pd.DataFrame) -> list[Reading]:
    """Return what published and replayed errors say; none before the first backtest."""
    for run in find_runs(settings, {"flow": "backtest"})[:1]:
        text = read_text(settings, run.info.run_id, "cells.csv")
        if text is not None:
            replayed = pd.read_csv(io.StringIO(text), parse_dates=["period"])
            by_period = forecasts.assign(period=pd.to_datetime(forecasts["period"]))
            return error_readings(published_cells(replayed, by_period.sort_values("as_of")))
    return []


def _features(workspace: Workspace) -> list[Reading]:
    """Return how what the champion is asked about lies to what it learned from."""
    champion = registry.champion(workspace.settings)
    if champion is None:
        return []
    card = model_store.load(workspace.settings, champion.version).card
    return feature_readings(workspace.history.origin(workspace.as_of), card)


def _seconds(runs: pd.DataFrame) -> list[float]:
    done = runs.loc[runs["flow"].eq(MAIN) & runs["status"].eq("finished")]
    ordered = done.sort_values("started_at")
    took = ordered["finished_at"] - ordered["started_at"]
    return [float(one) for one in took.dt.total_seconds()]


def _told(one: Reading) -> dict[str, object]:
    """Return a row of the store; what is not known is no number."""
    row = asdict(one)
    return row | {n: None if math.isnan(row[n]) else row[n] for n in ("value", "bound")}
