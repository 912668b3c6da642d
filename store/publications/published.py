"""All that the service shows, read in one transaction, and a cheap mark of whether it changed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection, Engine, func

from store.facts.labels import fetch_labels
from store.facts.reading import fetch, fetch_commodities, published_columns
from store.publications.decisions import fetch_publications
from store.publications.monitor_readings import newest_readings
from store.schema import tables
from store.schema.change_marks import Mark, mark_of
from store.vocabulary import BY_PARTNER, COMMODITY

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
    func.count(tables.labels.c.label),
    func.count(func.nullif(tables.publications.c.decided_by, "")),
)
"""Count what only ever grows; the newest ids are found without reading the tables."""

_REFUSED: Final = (
    "id", "source", "file_name", "reasons", "quarantined_at", "actor", "released_at",
    "released_by", "note",
)  # fmt: skip
"""Columns of the quarantine that are shown; its payload is not."""

_OF_MAGNETS: Final = ("events", "tariffs", "calendar")
"""Rows that are kept of the magnets alone: of other goods there are none."""

_FIGURE: Final = tuple(column.name for column in tables.observations.columns)
"""All columns of the observations, the ingest that brought each too."""


@dataclass(frozen=True, slots=True)
class Published:
    """Rows of one state of the store, every version of them; nothing in here is modified."""

    mark: Mark
    commodity: str
    forecasts: pd.DataFrame
    """As ``reading.read_forecasts``; of several models of one moment the last published."""
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
    """As ``store.publications.decisions.read_publications``."""
    commodities: tuple[str, ...]
    """All that forecasts are published of, sorted."""
    labels: Mapping[str, str]
    """What commodities are called, of those that were told."""

    @property
    def is_magnets(self) -> bool:
        """Tell whether it is what policy, tariffs and the release calendar are kept of."""
        return self.commodity == COMMODITY


def read_published(engine: Engine, *, commodity: str = COMMODITY) -> Published:
    """Read what the service shows of a commodity, all of one state of the store."""
    with engine.begin() as connection:
        return Published(
            **_own_rows(connection, commodity),
            mark=mark_of(connection, _COUNTED),
            runs=fetch(connection, tables.runs),
            events=fetch(connection, tables.policy_events),
            tariffs=fetch(connection, tables.tariff_steps),
            calendar=fetch(connection, tables.release_calendar),
            vintages=fetch(connection, tables.vintages),
            quarantine=fetch(connection, tables.quarantine, columns=_REFUSED),
            readings=fetch(connection, tables.readings, wanted=[newest_readings()]),
            commodities=tuple(fetch_commodities(connection, tables.forecasts)),
            labels=fetch_labels(connection),
        )


def read_other(engine: Engine, beside: Published, *, commodity: str) -> Published:
    """Read what the service shows of another commodity, with what it shares with the magnets.

    Args:
        engine: An opened store.
        beside: What was read of the magnets; rows that are of no commodity are taken from it.
        commodity: One of ``beside.commodities``.
    """
    with engine.begin() as connection:
        own = _own_rows(connection, commodity)
    nothing = {name: getattr(beside, name).iloc[:0] for name in _OF_MAGNETS}
    return replace(beside, **own, **nothing)


def _own_rows(connection: Connection, commodity: str) -> dict[str, Any]:
    """Return the fields that are of one commodity alone."""
    own = [tables.forecasts.c.commodity == commodity]
    scored = [tables.scores.c.commodity == commodity]
    figures = [tables.observations.c.commodity == commodity.removesuffix(BY_PARTNER)]
    rows = fetch(connection, tables.forecasts, wanted=own)
    newest = rows.groupby(["as_of", "destination", "period"])["id"].transform("max")
    return {
        "commodity": commodity,
        "forecasts": published_columns(rows[rows["id"] == newest]),
        "scores": fetch(connection, tables.scores, wanted=scored),
        "observations": fetch(connection, tables.observations, wanted=figures, columns=_FIGURE),
        "publications": fetch_publications(connection, commodity=commodity),
    }


def read_mark(engine: Engine) -> Mark:
    """Return a mark that changes with every publication, ingest, release and run."""
    with engine.begin() as connection:
        return mark_of(connection, _COUNTED)
