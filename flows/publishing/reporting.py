"""What the report on a forecast shows, of a run's own and of a publication."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine

from features.build import DRIVER_MEANINGS
from flows.context.run_config import RunConfig
from flows.context.stores import store_of
from flows.context.workspace import Workspace, open_workspace
from flows.publishing.publish_or_hold import held_folder, report_folder
from flows.training.backtest_records import all_scores
from models.evaluation.backtest import SCORE_COLUMNS, Backtest
from service.language.choice import in_language
from service.live.publication import Publication, newest_scores, of_one_forecast
from store.errors import DataError
from store.facts.commodities import read_labels
from store.facts.reading import read_publication
from store.messages import Message
from store.publications.backtests import read_scores
from store.publications.integrity import read_publications
from store.publications.panels import StoredPanel, read_panels
from store.publications.publication_writing import held_forecasts
from store.settings import Settings
from store.vocabulary import Language


def run_report(
    workspace: Workspace, table: pd.DataFrame, result: Backtest
) -> tuple[Publication, list[Message]]:
    """Content of the report on a new forecast, and notes on irregular figures."""
    rows = table.assign(as_of=workspace.as_of, data_vintage=workspace.data_vintage)
    return _state(workspace, rows, workspace.panel, all_scores(result)), workspace.notes


def write_run_report(
    settings: Settings,
    report: Publication,
    notes: Sequence[Message],
    folder: Path,
    language: Language | None = None,
) -> Path:
    """Write a report in a language, None is the one set; return its page."""
    from service.web.report import write_report  # noqa: PLC0415 - a run without news writes none

    with in_language(language or settings.report_language):
        return write_report(report, folder, notes=notes, pictures=settings.pictures)


def _state(
    workspace: Workspace, rows: pd.DataFrame, panel: StoredPanel, scores: pd.DataFrame
) -> Publication:
    """State of a forecast that has ``as_of`` and ``data_vintage``, with the policy known then."""
    config = workspace.config
    rows = rows.assign(**dict.fromkeys(_OPTIONAL - {*rows}))
    return of_one_forecast(
        rows.assign(commodity=config.published_as, publication=0),
        panel,
        scores,
        meanings=DRIVER_MEANINGS,
        label=config.label,
        **workspace.reported_facts,
    )


_OPTIONAL: Final = {"reason", "drivers", "contributions"}
"""Columns that a forecast has where its model tells."""


def write_past_report(
    settings: Settings,
    number: int | None,
    *,
    commodity: str,
    language: Language,
    folder: Path | None,
) -> Path:
    """Write the report on a publication and return its page.

    Args:
        number: Of the publication, published or held; None takes the newest published.
        commodity: As published, where no number is given.
        folder: Where it goes; None is beside the report of the run, named after the language.
    """
    engine = store_of(settings)
    publication = _publication(engine, number, commodity)
    key, as_of, which = str(publication["commodity"]), publication["as_of"], int(publication["id"])
    is_published = publication["state"] == "published"
    config = RunConfig(key, read_labels(engine).get(key, ""))
    if folder is None:
        run_folder = report_folder(settings, config, as_of, which)
        run_folder = run_folder if is_published else held_folder(run_folder)
        folder = run_folder.with_name(f"{run_folder.name}.{language}")
    until = json.loads(publication["made_with"] or "{}").get("ingest")
    workspace = open_workspace(settings, as_of, config, until=until)
    panel = read_panels(engine, [publication["panel"]]).get(publication["panel"])
    if panel is None:
        raise DataError(
            f"The panel behind publication {which} is not stored. Expected one, which the "
            "service stores when it starts. Run `magnetcast serve`, then again."
        )
    rows = (read_publication if is_published else held_forecasts)(engine, which)
    scores = newest_scores(read_scores(engine, commodity=key), as_of)[list(SCORE_COLUMNS)]
    state = _state(workspace, rows, panel, scores)
    return write_run_report(settings, state, workspace.notes, folder, language)


def _publication(engine: Engine, number: int | None, commodity: str) -> Mapping[str, Any]:
    publications = read_publications(engine)
    if number is None:
        matches = publications.loc[
            publications["commodity"].eq(commodity) & publications["state"].eq("published")
        ]
        which = f"published forecast of {commodity}"
    else:
        matches, which = publications.loc[publications["id"] == number], f"publication {number}"
    if matches.empty:
        raise DataError(
            f"There is no {which} to report on. Expected one of `magnetcast publications list`. "
            "Take one of those, or publish with `magnetcast run`."
        )
    return {str(name): value for name, value in matches.iloc[-1].items()}
