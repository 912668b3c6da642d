"""A store as a run leaves it, made without a model: bundled facts, two published forecasts."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine

from features.build import DRIVER_MEANINGS
from features.panel.estimation import evidence_panel
from publication.state import Publication, newest_publications
from sources.bundled.all_tables import load_bundled
from store.database import open_store
from store.facts.commodities import read_evidence
from store.facts.writing import write_batch
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
from tests.publication.builders import make_cells, make_drivers, make_forecasts, make_scores

EARLIER = datetime(2025, 8, 25, tzinfo=UTC)
NEWEST = datetime(2026, 11, 24, tzinfo=UTC)
NOW = pd.Timestamp("2026-11-25T10:00", tz="UTC")
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


def publications_of(engine: Engine, now: pd.Timestamp = NOW) -> list[Publication]:
    """Return the newest publication of each commodity of a store."""
    return newest_publications(engine, meanings=DRIVER_MEANINGS, now=now)
