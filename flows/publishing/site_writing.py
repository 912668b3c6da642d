"""Writes what readers see: the folders of publications, and the site of the newest ones."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine

from features.build import DRIVER_MEANINGS
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.run_config import RunConfig
from flows.context.stores import single_writer, store_of
from flows.context.workspace import open_workspace
from flows.system_health import examine, status_record
from models.evaluation.backtest import SCORE_COLUMNS
from publication.folder import PUBLICATIONS, folder_below, remove_folder, write_folder
from publication.planning.alerts import alert_rows
from publication.planning.planning_file import Planning, read_planning_file
from publication.site import SITE, SiteSource, state_of_site, write_pages, write_site
from publication.state import Publication, newest_publications, newest_scores, of_one_forecast
from publication.usual import usual_at
from store.errors import DataError
from store.facts.commodities import read_labels
from store.facts.reading import read_publication
from store.messages import Message
from store.planning import read_alerts
from store.publications.backtests import read_scores
from store.publications.explanations import read_explanation
from store.publications.integrity import read_publications
from store.publications.panels import NO_PANEL, read_panels
from store.publications.publication_rows import read_mark
from store.publications.publication_writing import held_forecasts
from store.settings import Settings

HELD: Final = "held"
"""Folder below the home of publications that wait for a person."""


def show_publications(settings: Settings) -> Path | None:
    """Write the folders of publications that have none, and the site unless nothing changed.

    It never fails a publication.

    Returns:
        The site, or None where it could not be written.
    """
    try:
        with single_writer(settings):
            write_missing_folders(settings)
            shown = settings.home / SITE
            if _source(settings).state == state_of_site(shown):
                return shown
            return write_shown_site(settings)
    except Exception as err:  # noqa: BLE001 - the publication is stored already
        echo(f"site      not written ({type(err).__name__}: {err}). Run `magnetcast site`")
        return None


def write_shown_site(settings: Settings) -> Path:
    """Write the site of the home in the place of the old one."""
    source, status = _source(settings), _status(settings)
    return write_site(source, settings.home, status=status, processes=settings.processes)


def write_site_to(settings: Settings, out: Path, base_url: str) -> None:
    """Write the site into an empty folder, for any host of files, whose account may read it."""
    if out.exists() and any(out.iterdir()):
        raise DataError(
            f"{out} is not empty. Expected a folder that is, or none. Choose another, or empty it."
        )
    write_missing_folders(settings)
    source, status = _source(settings, base_url.rstrip("/")), _status(settings)
    umask = os.umask(0o022)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_pages(
            source, out, settings.home, old=None, status=status, processes=settings.processes
        )
    finally:
        os.umask(umask)


def _source(settings: Settings, base_url: str = "") -> SiteSource:
    planning, read_at = planning_of(settings), utc_now()
    rows = [len(planning.alerts), str(planning.file)]
    inputs = [read_mark(store_of(settings)), *rows, f"{read_at:%Y-%m-%d}", version("magnetcast")]
    state = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
    return SiteSource(settings.url, DRIVER_MEANINGS, planning, read_at, base_url, state)


def _status(settings: Settings) -> Mapping[str, object]:
    return status_record(examine(settings, utc_now()))


def planning_of(settings: Settings) -> Planning:
    """What a firm plans with, and what its alert rules found."""
    engine = store_of(settings)
    alerts = tuple(alert_rows(read_alerts(engine)))
    file = read_planning_file(settings.home)
    if file is not None and (file.needs or file.alert_rules):
        now = utc_now()
        states = newest_publications(engine, meanings=DRIVER_MEANINGS, now=now)
        file = read_planning_file(settings.home, states, now.date())
    return Planning(file, alerts)


def write_missing_folders(settings: Settings) -> None:
    """Write the folder of each publication, published or held, that has none."""
    recorded = read_publications(store_of(settings))
    held = recorded["state"].eq(HELD)
    waiting = {folder_below(settings.home / HELD, *key) for key in _keys(recorded.loc[held])}
    for folder in (settings.home / HELD).glob(f"{PUBLICATIONS}/*/*"):
        if folder not in waiting:  # decided meanwhile
            remove_folder(folder)
    for values in recorded.loc[held | recorded["state"].eq("published")].to_dict("records"):
        row = {str(name): value for name, value in values.items()}
        is_held = row["state"] == HELD
        root = settings.home / HELD if is_held else settings.home
        folder = folder_below(root, str(row["commodity"]), int(row["id"]))
        if not folder.exists():
            state, notes = state_of(settings, row)
            age = utc_now() - (row["published_at"] or row["as_of"])
            is_late = not is_held and age > pd.Timedelta(days=1)
            write_folder(state, folder, notes=notes, is_held=is_held, is_written_later=is_late)


def _keys(recorded: pd.DataFrame) -> Iterator[tuple[str, int]]:
    return zip(recorded["commodity"].astype(str), recorded["id"].astype(int), strict=True)


def state_of(settings: Settings, row: Mapping[str, Any]) -> tuple[Publication, Sequence[Message]]:
    """State of one publication, from what was known then, and notes on its figures."""
    engine, number = store_of(settings), int(row["id"])
    key, as_of = str(row["commodity"]), row["as_of"]
    config = RunConfig(key, read_labels(engine).get(key, ""))
    rows = _rows(engine, row)
    until = json.loads(row["made_with"] or "{}").get("ingest")
    workspace = open_workspace(settings, as_of, config, until=until)
    recorded = read_publications(engine, commodity=key)
    panels = read_panels(engine, set(recorded["panel"]))
    panel = panels.get(row["panel"], NO_PANEL)
    scores = newest_scores(read_scores(engine, commodity=key), as_of)[list(SCORE_COLUMNS)]
    state = of_one_forecast(
        rows.assign(commodity=key, publication=number),
        panel,
        scores,
        meanings=DRIVER_MEANINGS,
        label=config.label,
        explanation=read_explanation(engine, number),
        published_at=row["published_at"],
        **workspace.reported_facts,
    )
    usual = usual_at(recorded, panels, as_of, panel)
    return replace(state, usual_months=usual), workspace.notes


def _rows(engine: Engine, row: Mapping[str, Any]) -> pd.DataFrame:
    number = int(row["id"])
    is_held = row["state"] == HELD
    return held_forecasts(engine, number) if is_held else read_publication(engine, number)
