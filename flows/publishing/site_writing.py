"""Writes what readers see: the folders of publications, and the site of the newest ones."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine

from features.build import DRIVER_MEANINGS
from flows.clock import utc_now
from flows.context.console import echo
from flows.context.run_config import RunConfig
from flows.context.stores import store_of
from flows.context.workspace import open_workspace
from flows.monitoring.system_health import examine, status_record
from models.evaluation.backtest import SCORE_COLUMNS
from publication.folder import folder_below, write_folder
from publication.planning.alerts import alert_rows
from publication.planning.planning_file import Planning, read_planning_file
from publication.site import SiteSource, write_pages, write_site
from publication.state import Publication, newest_scores, of_one_forecast
from store.errors import DataError
from store.facts.commodities import read_labels
from store.facts.reading import read_publication
from store.messages import Message
from store.planning import read_alerts, read_rivals
from store.publications.backtests import read_scores
from store.publications.explanations import read_explanation
from store.publications.integrity import read_publications
from store.publications.panels import NO_PANEL, read_panels
from store.publications.publication_writing import held_forecasts
from store.settings import Settings

HELD: Final = "held"
"""Folder below the home of publications that wait for a person."""


def show_publications(settings: Settings) -> Path | None:
    """Write the folders of publications that have none, and the site; never fails a publication.

    Returns:
        The site, or None where it could not be written.
    """
    try:
        write_missing_folders(settings)
        return write_shown_site(settings)
    except Exception as err:  # noqa: BLE001 - the publication is stored already
        echo(f"site      not written ({type(err).__name__}: {err}). Run `magnetcast site`")
        return None


def write_shown_site(settings: Settings) -> Path:
    """Write the site of the home in the place of the old one."""
    source, status = _source(settings), _status(settings)
    return write_site(source, settings.home, status=status, processes=settings.processes)


def write_site_to(settings: Settings, out: Path, base_url: str) -> None:
    """Write the site into an empty folder, for any host of files."""
    if out.exists() and any(out.iterdir()):
        raise DataError(
            f"{out} is not empty. Expected a folder that is, or none. Choose another, or empty it."
        )
    out.mkdir(parents=True, exist_ok=True)
    write_missing_folders(settings)
    write_pages(
        _source(settings, base_url.rstrip("/")), out, settings.home, old=None,
        status=_status(settings), processes=settings.processes,
    )  # fmt: skip


def _source(settings: Settings, base_url: str = "") -> SiteSource:
    planning = planning_of(settings)
    return SiteSource(settings.url, DRIVER_MEANINGS, planning, utc_now(), base_url)


def _status(settings: Settings) -> Mapping[str, object]:
    return status_record(examine(settings, utc_now()))


def planning_of(settings: Settings) -> Planning:
    """What a firm plans with, and the forecasts by others that the home has seen."""
    engine = store_of(settings)
    alerts = tuple(alert_rows(read_alerts(engine)))
    return Planning(read_planning_file(settings.home), read_rivals(engine), alerts)


def write_missing_folders(settings: Settings) -> None:
    """Write the folder of each publication, published or held, that has none."""
    engine = store_of(settings)
    recorded = read_publications(engine)
    newest = recorded["id"].max()
    for row in recorded.loc[recorded["state"].isin(["published", HELD])].to_dict("records"):
        is_held = row["state"] == HELD
        state = None
        root = settings.home / HELD if is_held else settings.home
        folder = folder_below(root, str(row["commodity"]), int(row["id"]))
        if folder.exists():
            continue
        state, notes = state_of(settings, {str(name): value for name, value in row.items()})
        write_folder(
            state, folder, notes=notes, is_held=is_held,
            is_written_later=bool(row["id"] < newest and not is_held),
        )  # fmt: skip


def state_of(settings: Settings, row: Mapping[str, Any]) -> tuple[Publication, Sequence[Message]]:
    """State of one publication, from what was known then, and notes on its figures."""
    engine, number = store_of(settings), int(row["id"])
    key, as_of = str(row["commodity"]), row["as_of"]
    config = RunConfig(key, read_labels(engine).get(key, ""))
    rows = _rows(engine, row)
    until = json.loads(row["made_with"] or "{}").get("ingest")
    workspace = open_workspace(settings, as_of, config, until=until)
    panel = read_panels(engine, [row["panel"]]).get(row["panel"], NO_PANEL)
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
    return state, workspace.notes


def _rows(engine: Engine, row: Mapping[str, Any]) -> pd.DataFrame:
    number = int(row["id"])
    is_held = row["state"] == HELD
    return held_forecasts(engine, number) if is_held else read_publication(engine, number)
