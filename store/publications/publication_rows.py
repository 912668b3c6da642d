"""What the service shows: all rows of a commodity, a cheap mark of whether they changed.

Beside them the measurements of the monitors, and who publishes: the champions of each registered
model, or the simple rule that beat it. These tables decide; MLflow's aliases follow them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, func, insert, select

from store.database import Mark, mark_of, reading, writing
from store.facts.commodities import read_labels
from store.facts.reading import newest_publications, published_columns, read_commodities, read_table
from store.facts.reviews import read_quarantine
from store.publications.backtests import read_backtests
from store.publications.explanations import StoredExplanation, read_explanation
from store.publications.integrity import read_publications
from store.schema import database_tables as tables
from store.schema.database_tables import readings
from store.vocabulary import COMMODITY, figures_of

COVERAGE_DRIFT: Final = "coverage-drift"
"""The only monitor; older homes hold readings of others too, which nobody reads."""


def save_reading(
    engine: Engine, row: Mapping[str, object], *, at: datetime, as_of: datetime
) -> None:
    """Save one measurement: monitor, value, bound (perhaps None), size, fired and words."""
    with writing(engine) as connection:
        connection.execute(insert(readings), {**row, "measured_at": at, "as_of": as_of})


def newest_reading() -> ColumnElement[bool]:
    """The condition for the row of the newest measurement."""
    newest = select(func.max(readings.c.measured_at)).scalar_subquery()
    return and_(readings.c.measured_at == newest, readings.c.monitor == COVERAGE_DRIFT)


def latest_reading(engine: Engine) -> pd.DataFrame:
    """Read the newest measurement, one row; empty before one."""
    return read_table(engine, readings, wanted=[newest_reading()])


_COUNTED: Final = (
    func.max(tables.forecasts.c.id),
    func.max(tables.vintages.c.id),
    func.max(tables.quarantine.c.id),
    func.count(tables.quarantine.c.released_at),
    func.max(tables.backtests.c.id),
    func.count(tables.runs.c.run_id),
    func.count(tables.runs.c.finished_at),
    func.max(tables.readings.c.id),
    func.max(tables.publications.c.id),
    func.count(tables.labels.c.label),
    func.count(func.nullif(tables.publications.c.decided_by, "")),
    func.count(func.nullif(tables.publications.c.panel, "")),
    func.count(func.nullif(tables.publications.c.explanation, "")),
)
"""Counts and ids that only grow; the newest ids are found without reading the tables."""

_OF_MAGNETS: Final = ("events", "tariffs")
"""Rows stored for magnets alone: other commodities have none."""

_FIGURE: Final = tuple(column.name for column in tables.observations.columns)
"""All columns of the observations, including the ingest of each row."""


@dataclass(frozen=True, slots=True)
class Published:
    """All versions of the rows at one moment; not modified."""

    mark: Mark
    commodity: str
    forecasts: pd.DataFrame
    """As ``reading.read_forecasts``: of several publications of one as_of the last."""
    every: pd.DataFrame
    """The forecasts of all publications, those of one as_of too."""
    scores: pd.DataFrame
    cells: pd.DataFrame
    """Forecasts of the newest backtest: ``store.publications.backtests.CELL_COLUMNS``."""
    runs: pd.DataFrame
    observations: pd.DataFrame
    events: pd.DataFrame
    tariffs: pd.DataFrame
    calendar: pd.DataFrame | None
    """Releases of China's customs; None for the partner tables of other commodities."""
    vintages: pd.DataFrame
    quarantine: pd.DataFrame
    readings: pd.DataFrame
    publications: pd.DataFrame
    """As ``store.publications.integrity.read_publications``."""
    explanation: StoredExplanation | None
    """Of the newest publication; None where none was computed."""
    commodities: tuple[str, ...]
    """All commodities with published forecasts, sorted."""
    labels: Mapping[str, str]

    @property
    def panels(self) -> dict[pd.Timestamp, str]:
        published = self.publications.loc[self.publications["state"] == "published"]
        with_panel = published.loc[
            published["as_of"].isin(self.forecasts["as_of"]) & published["panel"].ne("")
        ]
        last = with_panel.drop_duplicates("as_of", keep="last")
        return dict(zip(last["as_of"], last["panel"], strict=True))


def read_published(engine: Engine, *, commodity: str = COMMODITY) -> Published:
    """Read what the service shows of a commodity, in one transaction."""
    with engine.begin() as connection:
        return Published(
            **_own_rows(connection, commodity),
            mark=mark_of(connection, _COUNTED),
            runs=read_table(connection, tables.runs),
            events=read_table(connection, tables.policy_events),
            tariffs=read_table(connection, tables.tariff_steps),
            calendar=read_table(connection, tables.release_calendar),
            vintages=read_table(connection, tables.vintages),
            quarantine=read_quarantine(connection),
            readings=read_table(connection, tables.readings, wanted=[newest_reading()]),
            commodities=tuple(read_commodities(connection, tables.forecasts)),
            labels=read_labels(connection),
        )


def read_other(engine: Engine, magnets: Published, *, commodity: str) -> Published:
    """Read what the service shows of another commodity; shared rows are those of the magnets."""
    with engine.begin() as connection:
        rows = _own_rows(connection, commodity)
    empty = {name: getattr(magnets, name).iloc[:0] for name in _OF_MAGNETS}
    return replace(magnets, **rows, **empty, calendar=None)


def _own_rows(connection: Connection, commodity: str) -> dict[str, Any]:
    is_commodity = [tables.forecasts.c.commodity == commodity]
    scores, cells = read_backtests(connection, commodity)
    facts = tables.observations
    figures = [facts.c.commodity == figures_of(commodity)]
    rows = read_table(connection, tables.forecasts, wanted=is_commodity)
    newest = rows.loc[rows["as_of"] == rows["as_of"].max(), "publication"].max()
    return {
        "commodity": commodity,
        "forecasts": published_columns(newest_publications(rows)),
        "every": published_columns(rows),
        "scores": scores,
        "cells": cells,
        "observations": read_table(
            connection, tables.observations, wanted=figures, columns=_FIGURE
        ),
        "publications": read_publications(connection, commodity=commodity),
        "explanation": None if rows.empty else read_explanation(connection, int(newest)),
    }


def read_mark(engine: Engine) -> Mark:
    """A mark that changes with every publication, ingest, release and run."""
    with engine.begin() as connection:
        return mark_of(connection, _COUNTED)


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A registered version, and what it was trained on."""

    version: int
    run_id: str
    folder: str = ""
    """Of its files, below that of the artifacts; empty where they lie elsewhere."""
    model_version: str = ""
    """Its name, as published forecasts carry it."""
    as_of: str = ""
    data_vintage: str = ""
    recipe: str = ""
    """Digest of its parameters and features."""
    rolled_back: str = ""
    """Reason why it was rolled back; empty if it was not."""
    git_commit: str = ""
    parameters: str = ""
    """Parameters that were not at their defaults, as JSON."""
    sha256: str = ""
    """Digest of its boosters and metadata."""


def write_promotions(engine: Engine, name: str, versions: Sequence[RegisteredVersion]) -> None:
    """Keep which versions of a registered model were promoted, in this order."""
    table = tables.champions
    with writing(engine) as connection:
        connection.execute(delete(table).where(table.c.name == name))
        for version in versions:
            connection.execute(insert(table).values(name=name, **asdict(version)))


def read_promotions(engine: Engine, name: str) -> tuple[RegisteredVersion, ...]:
    """Versions of a registered model in order of promotion, those rolled back too."""
    table = tables.champions
    columns = table.c[*(field.name for field in fields(RegisteredVersion))]
    wanted = select(*columns).where(table.c.name == name).order_by(table.c.id)
    with reading(engine) as connection:
        return tuple(RegisteredVersion(**row) for row in connection.execute(wanted).mappings())
