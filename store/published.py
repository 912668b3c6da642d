"""All that the service shows, read in one transaction, and a cheap mark of whether it changed."""

from dataclasses import dataclass
from typing import Final

import pandas as pd
from sqlalchemy import Engine, func

from store import tables
from store.marks import Mark, mark_of
from store.publications import fetch_publications
from store.reading import fetch, published_columns
from store.readings import newest_readings
from store.vocabulary import COMMODITY

_COUNTED: Final = (
    func.max(tables.forecasts.c.id),
    func.max(tables.vintages.c.id),
    func.max(tables.quarantine.c.id),
    func.count(tables.quarantine.c.released_at),
    func.count(tables.scores.c.model),
    func.count(tables.runs.c.run_id),
    func.count(tables.runs.c.finished_at),
    func.max(tables.readings.c.id),
    func.max(tables.publications.c.id),
    func.count(func.nullif(tables.publications.c.decided_by, "")),
)
"""Count what only ever grows; the newest ids are found without reading the tables."""

_REFUSED: Final = (
    "id", "source", "file_name", "reasons", "quarantined_at", "actor", "released_at",
    "released_by", "note",
)  # fmt: skip
"""Columns of the quarantine that are shown; its payload is not."""

_FIGURE: Final = tuple(column.name for column in tables.observations.columns)
"""All columns of the observations, the ingest that brought each too."""


@dataclass(frozen=True, slots=True)
class Published:
    """Rows of one state of the store, every version of them; nothing in here is modified."""

    mark: Mark
    forecasts: pd.DataFrame
    """As ``store.reading.read_forecasts``; of several models of one moment the last published."""
    scores: pd.DataFrame
    runs: pd.DataFrame
    observations: pd.DataFrame
    events: pd.DataFrame
    tariffs: pd.DataFrame
    calendar: pd.DataFrame
    vintages: pd.DataFrame
    quarantine: pd.DataFrame
    readings: pd.DataFrame
    """The newest measurement of the monitors."""
    publications: pd.DataFrame
    """As ``store.publications.read_publications``."""


def read_published(engine: Engine, *, commodity: str = COMMODITY) -> Published:
    """Read what the service shows of a commodity, all of one state of the store."""
    with engine.begin() as connection:
        own = [tables.forecasts.c.commodity == commodity]
        scored = [tables.scores.c.commodity == commodity]
        figures = [tables.observations.c.commodity == commodity]
        rows = fetch(connection, tables.forecasts, wanted=own)
        newest = rows.groupby(["as_of", "destination", "period"])["id"].transform("max")
        return Published(
            mark=mark_of(connection, _COUNTED),
            forecasts=published_columns(rows[rows["id"] == newest]),
            scores=fetch(connection, tables.scores, wanted=scored),
            runs=fetch(connection, tables.runs),
            observations=fetch(connection, tables.observations, wanted=figures, columns=_FIGURE),
            events=fetch(connection, tables.policy_events),
            tariffs=fetch(connection, tables.tariff_steps),
            calendar=fetch(connection, tables.release_calendar),
            vintages=fetch(connection, tables.vintages),
            quarantine=fetch(connection, tables.quarantine, columns=_REFUSED),
            readings=fetch(connection, tables.readings, wanted=[newest_readings()]),
            publications=fetch_publications(connection, commodity=commodity),
        )


def read_mark(engine: Engine) -> Mark:
    """Return a mark that changes with every publication, ingest, release and run."""
    with engine.begin() as connection:
        return mark_of(connection, _COUNTED)
