"""A store as a run leaves it, made without a model: bundled facts, two published forecasts."""

import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import pandas as pd
from fastapi import FastAPI
from service.live.live_publication import LivePublication
from service.state import Rules
from sqlalchemy import Engine

from features.build import DRIVER_MEANINGS
from features.panel.estimation import evidence_panel
from models.monitoring import Alarm, HealthReport
from service.app import create_app
from service.scenario_pool import Compute, ScenarioEngine
from sources.bundled.all_tables import load_bundled
from store.database import open_store
from store.facts.commodities import read_evidence
from store.facts.writing import write_batch
from store.messages import message
from store.publications.backtests import write_scores
from store.publications.panels import NO_PANEL, StoredPanel
from store.publications.publication_writing import (
    PublicationContext,
    RunRecord,
    finish_run,
    publish_forecasts,
    start_run,
)
from store.settings import PROJECT_ROOT
from tests.service.builders import make_cells, make_drivers, make_forecasts, make_scores

EARLIER = datetime(2025, 8, 25, tzinfo=UTC)
NEWEST = datetime(2026, 11, 24, tzinfo=UTC)
NOW = pd.Timestamp("2026-11-25T10:00", tz="UTC")
OPEN = Rules(open_reads=True, max_body_bytes=1000)
VINTAGE = "a1b2c3"
_PANELS: dict[tuple[date, int], StoredPanel] = {}


def fill_store(url: str) -> None:
    """Take in the bundled facts and publish two forecasts, the newer after a run."""
    engine = open_store(url)
    write_batch(engine, load_bundled(PROJECT_ROOT / "data"), ingested_at=NEWEST, actor="test")
    publish(engine, EARLIER, cutoff="2025-07")
    for as_of in (EARLIER, NEWEST):
        run = RunRecord(
            run_id=f"{as_of:%Y%m}",
            flow="run",
            as_of=as_of,
            data_vintage=VINTAGE,
            started_at=as_of,
            model_version="magnetcast-7",
        )
        start_run(engine, run)
    write_scores(engine, make_scores(), as_of=NEWEST, cells=make_cells())
    publish(engine, NEWEST, cutoff="2026-07")
    ended = datetime(2026, 11, 25, 3, tzinfo=UTC)
    for run_id in ("202508", "202611"):
        finish_run(engine, run_id, status="finished", finished_at=ended)
    engine.dispose()


def publish(
    engine: Engine,
    as_of: datetime,
    *,
    cutoff: str,
    factor: float = 1.0,
    without: str = "",
    panel: StoredPanel | None = None,
) -> None:
    """Publish a forecast; ``factor`` multiplies all of its tonnes."""
    rows = make_drivers(make_forecasts(cutoff=cutoff)).assign(contributions=None)
    rows = rows[rows["destination"] != without]
    numbers = [name for name in rows if name.startswith("p") and name[1:].isdigit()] + ["mean"]
    rows[numbers] *= factor
    context = PublicationContext(panel=panel or panel_at(engine, as_of))
    publish_forecasts(engine, rows, as_of=as_of, data_vintage=VINTAGE, context=context)


def copied(store: Path, folder: Path) -> str:
    """Copy a closed SQLite store and return the copy's address."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(store, folder / store.name)
    return f"sqlite:///{folder / store.name}"


def panel_at(engine: Engine, as_of: datetime) -> StoredPanel:
    """Return what is known at a moment; solved once for all tests that have the same figures."""
    figures = read_evidence(engine, as_of=as_of)
    if figures.empty:
        return NO_PANEL
    key = (pd.Timestamp(as_of).date(), len(figures))
    if key not in _PANELS:
        _PANELS[key] = evidence_panel(figures, as_of=pd.Timestamp(as_of)).stored
    return _PANELS[key]


def make_live(engine: Engine) -> LivePublication:
    """Return a live publication that looks for news often."""
    return LivePublication(engine, DRIVER_MEANINGS, clock=lambda: NOW, refresh_s=0.05)


def condition_at(now: pd.Timestamp) -> HealthReport:
    """Return how an installation is whose figures are late."""
    alarm = Alarm("late-data", is_broken=False, words="The figures are late.")
    lines = (
        message("The last run began %(day)s %(time)s UTC: %(state)s.", day="2026-11-24",
                time="00:00", state="finished"),
        message("Champion: version %(number)s, %(model)s.", number=1, model="magnetcast-7"),
    )  # fmt: skip
    return HealthReport(now, lines, (alarm,))


def _no_scenarios(_: pd.DataFrame) -> Compute:
    raise AssertionError


NO_SCENARIOS: Final = ScenarioEngine(_no_scenarios, worked=(), waiting=0, seconds=1.0)


def make_app(
    engine: Engine, rules: Rules = OPEN, what_if: ScenarioEngine = NO_SCENARIOS
) -> FastAPI:
    """Return the app over a store, not started, that draws nothing ahead."""
    rules = replace(rules, names=rules.names | {"testserver"})
    return create_app(
        make_live(engine), rules, what_if=what_if, examine=condition_at, prepare=False
    )


def plain(page: str) -> str:
    """Return a page without what tells how its cells are shown, and in which language."""
    page = re.sub(r' (?:data-head|lang)="[^"]*"', "", page)
    return re.sub(r"<span>(.*?)</span>", r"\1", page)
