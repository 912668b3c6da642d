"""What the report on a forecast shows, of a run's own and of a publication."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine

from flows.context.run_config import RunConfig
from flows.context.stores import store_of
from flows.context.tables import TableWorkspace, open_table
from flows.context.workspace import Workspace
from flows.publishing.publish import held_folder, report_folder
from flows.training.backtest import kept_scores
from models.evaluation.backtest import Backtest
from service.charts.fan import ReportInput
from service.language.choice import in_language
from service.live.publication import newest_scores
from service.report.report import write_report
from service.report.view import unknowns
from store.asof import EVENT_KEY, known_at
from store.errors import DataError
from store.facts.evidence import read_label
from store.facts.reading import read_events, read_publication, read_scores
from store.messages import Message
from store.publications.integrity import read_publications
from store.publications.panels import StoredPanel, read_panels
from store.publications.publishing import held_forecasts
from store.settings import Settings
from store.vocabulary import Language


def run_report(
    known: Workspace | TableWorkspace, table: pd.DataFrame, seen: Backtest
) -> ReportInput:
    """Return what the report on a forecast just made shows."""
    return _report_input(
        known.config,
        table.assign(as_of=known.as_of, data_vintage=known.data_vintage),
        known.panel,
        scores=kept_scores(seen),
        notes=known.notes if isinstance(known, TableWorkspace) else (),
        events=_events(known.engine, known.config, known.as_of),
        pictures=known.settings.pictures,
    )


def write_run_report(settings: Settings, report: ReportInput, folder: Path) -> Path:
    """Write a report in the language set; return its page."""
    with in_language(settings.report_language):
        return write_report(report, folder)


def _events(
    engine: Engine, config: RunConfig, as_of: pd.Timestamp, until: int | None = None
) -> pd.DataFrame | None:
    """Return the newest version of each policy event known then; None for a table."""
    if not config.is_main:
        return None
    known = read_events(engine, as_of=as_of, until=until)
    return known_at(known, key=EVENT_KEY, as_of=as_of)


def _report_input(
    config: RunConfig,
    rows: pd.DataFrame,
    panel: StoredPanel,
    *,
    scores: pd.DataFrame,
    notes: Sequence[Message],
    events: pd.DataFrame | None,
    pictures: bool,
) -> ReportInput:
    as_of = pd.Timestamp(rows["as_of"].iloc[0])
    return ReportInput(
        commodity=config.commodity,
        label=config.label,
        as_of=as_of,
        cutoff=str(rows["cutoff"].max()),
        forecasts=rows,
        panel=panel.frame,
        events=pd.DataFrame() if events is None else events,
        scores=scores,
        suspicious=panel.contradictions,
        unknowns=() if events is None else unknowns(panel.frame, events, as_of=as_of),
        notes=notes,
        model_version=", ".join(dict.fromkeys(rows["model"].astype(str))),
        data_vintage=str(rows["data_vintage"].iloc[0]),
        pictures=pictures,
        sections=config.is_main,
    )


SCORE_COLUMNS: Final = ("model", "scope", "cells", "metric", "value", "horizon_from", "horizon_to")
"""Of a run's own file of scores, in which the model that publishes has no version."""


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
    one = _publication(engine, number, commodity)
    if folder is None:
        config = RunConfig(str(one["commodity"]))
        own = report_folder(settings, config, one["as_of"], int(one["id"]))
        own = own if one["state"] == "published" else held_folder(own)
        folder = own.with_name(f"{own.name}.{language}")
    with in_language(language):
        return write_report(_report(settings, engine, one), folder)


def _publication(engine: Engine, number: int | None, commodity: str) -> Mapping[str, Any]:
    known = read_publications(engine)
    if number is None:
        own = known.loc[known["commodity"].eq(commodity) & known["state"].eq("published")]
        which = f"published forecast of {commodity}"
    else:
        own, which = known.loc[known["id"] == number], f"publication {number}"
    if own.empty:
        raise DataError(
            f"There is no {which} to report on. Expected one of `magnetcast publications list`. "
            "Take one of those, or publish with `magnetcast run`."
        )
    return {str(name): value for name, value in own.iloc[-1].items()}


def _report(settings: Settings, engine: Engine, one: Mapping[str, Any]) -> ReportInput:
    key, as_of = str(one["commodity"]), one["as_of"]
    until = json.loads(one["made_with"] or "{}").get("ingest")
    config = RunConfig(key, read_label(engine, key))
    table = None if config.is_main else open_table(settings, as_of, config.commodity, until=until)
    panel = read_panels(engine, [one["panel"]]).get(one["panel"])
    if panel is None:
        raise DataError(
            f"The panel behind publication {one['id']} is not stored. Expected one, which the "
            "service stores when it starts. Run `magnetcast serve`, then again."
        )
    return _report_input(
        config,
        _rows(engine, one),
        panel,
        scores=newest_scores(read_scores(engine, commodity=key), as_of)[list(SCORE_COLUMNS)],
        notes=[] if table is None else table.notes,
        events=_events(engine, config, as_of, until),
        pictures=settings.pictures,
    )


def _rows(engine: Engine, one: Mapping[str, Any]) -> pd.DataFrame:
    number = int(one["id"])
    found = read_publication(engine, number)
    return held_forecasts(engine, number) if found.empty else found
