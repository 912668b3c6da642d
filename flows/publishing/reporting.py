"""What the report on a forecast shows, of a run's own and of a publication."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
from sqlalchemy import Engine

from flows.context.stores import store_of
from flows.publishing.evidence_pipeline import EvidencePipeline
from flows.publishing.publish import held_folder, report_folder
from flows.publishing.run_config import RunConfig
from flows.publishing.table_pipeline import TablePipeline, open_table
from flows.training.backtest import kept_scores
from flows.training.predict import BacktestedForecast
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


def write_run_report(
    pipeline: EvidencePipeline | TablePipeline, forecast: BacktestedForecast, folder: Path
) -> Path:
    """Write the report on a forecast just made in the language set; return its page."""
    snapshot = pipeline.snapshot
    report = report_input(
        pipeline.config,
        forecast.table.assign(as_of=snapshot.as_of, data_vintage=snapshot.data_vintage),
        pipeline.panel(),
        scores=kept_scores(forecast.backtest),
        sentences=pipeline.unknowns(),
        pictures=snapshot.settings.pictures,
        events=pipeline.events(),
    )
    with in_language(snapshot.settings.report_language):
        return write_report(report, folder)


def report_input(
    config: RunConfig,
    rows: pd.DataFrame,
    panel: StoredPanel,
    *,
    scores: pd.DataFrame,
    sentences: Sequence[str] | Sequence[Message],
    pictures: bool,
    events: pd.DataFrame | None = None,
) -> ReportInput:
    """Return what a report shows; nothing given is modified.

    Args:
        rows: The forecast, with ``as_of`` and ``data_vintage``.
        events: Newest version of each policy event known then; None for a table, which has none.
    """
    is_main = events is not None
    return ReportInput(
        commodity=config.commodity,
        label=config.label,
        as_of=pd.Timestamp(rows["as_of"].iloc[0]),
        cutoff=str(rows["cutoff"].max()),
        forecasts=rows,
        panel=panel.frame,
        events=pd.DataFrame() if events is None else events,
        scores=scores,
        suspicious=panel.contradictions,
        unknowns=[str(one) for one in sentences] if is_main else (),
        notes=() if is_main else sentences,
        model_version=", ".join(dict.fromkeys(rows["model"].astype(str))),
        data_vintage=str(rows["data_vintage"].iloc[0]),
        pictures=pictures,
        sections=is_main,
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
    key, as_of, made_with = (
        str(one["commodity"]),
        one["as_of"],
        json.loads(one["made_with"] or "{}"),
    )
    config = RunConfig(key, read_label(engine, key))
    panel = read_panels(engine, [one["panel"]]).get(one["panel"])
    if panel is None:
        raise DataError(
            f"The panel behind publication {one['id']} is not stored. Expected one, which the "
            "service stores when it starts. Run `magnetcast serve`, then again."
        )
    events = None
    if config.is_main:
        known = read_events(engine, as_of=as_of, until=made_with.get("ingest"))
        events = known_at(known, key=EVENT_KEY, as_of=as_of)
    return report_input(
        config,
        _rows(engine, one),
        panel,
        events=events,
        scores=newest_scores(read_scores(engine, commodity=key), as_of)[list(SCORE_COLUMNS)],
        sentences=unknowns(panel.frame, events, as_of=as_of)
        if events is not None
        else _notes(settings, config, as_of, made_with),
        pictures=settings.pictures,
    )


def _rows(engine: Engine, one: Mapping[str, Any]) -> pd.DataFrame:
    number = int(one["id"])
    found = read_publication(engine, number)
    return held_forecasts(engine, number) if found.empty else found


def _notes(
    settings: Settings, config: RunConfig, as_of: pd.Timestamp, made_with: Mapping[str, Any]
) -> list[Message]:
    """Return what was odd about a table at a moment, by the figures it was forecast from."""
    until = made_with.get("ingest")
    return open_table(settings, as_of, config.commodity, until=until).unknowns()
