"""Reading rows: typed frames in one order, whatever order they were written in."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    func,
    literal_column,
    or_,
    select,
)

from store.schema import tables
from store.schema.frames import frame_of
from store.schema.tables import natural_key, told_columns
from store.vocabulary import COMMODITY, FORECAST_COLUMNS, ORIGIN

_EVIDENCE: Final = (
    tables.observations,
    tables.policy_events,
    tables.tariff_steps,
    tables.analog_events,
    tables.release_calendar,
)
"""Tables a forecast may rest on."""

MAGNETS: Final = re.compile(r"(?:[A-Z]{2})?850511\d*")
"""Codes of magnets, in China's own nomenclature or a partner's."""

_CODE: Final = re.compile(r"[A-Z]{0,2}\d+")

_LATER_EVIDENCE: Final = (tables.covariates,)
"""The same, but younger than some digests: told of only where it holds rows."""


def read_observations(
    engine: Engine,
    *,
    as_of: datetime | None = None,
    commodity: str | None = None,
    source: str | None = None,
    until: int | None = None,
    commodities: Collection[str] | None = None,
) -> pd.DataFrame:
    """Read published figures, every version of them, ordered by natural key.

    Args:
        engine: an opened store.
        as_of: leave out rows that became known later; None reads all.
        commodity: only this commodity or analog material; None reads all.
        source: only what this source told; None reads all.
        until: leave out what later ingests than this one brought; None reads all.
        commodities: only these; None reads all.
    """
    table = tables.observations
    asked = ((table.c.commodity, commodity), (table.c.source, source))
    wanted = [column == value for column, value in asked if value is not None]
    wanted += _brought_by(until)
    if commodities is not None:
        wanted.append(table.c.commodity.in_(list(commodities)))
    return read_table(engine, table, as_of=as_of, wanted=wanted)


def read_commodities(engine: Engine) -> list[str]:
    """Read which commodities and materials are told of, sorted, without reading their rows."""
    with engine.begin() as connection:
        return fetch_commodities(connection, tables.observations)


def fetch_commodities(connection: Connection, table: Table) -> list[str]:
    """Fetch which commodities a table is of, sorted, without reading its rows."""
    column = table.c.commodity
    found: list[str] = []
    # One look into the key's index a commodity: DISTINCT would read every row.
    query = select(func.min(column))
    while (name := connection.scalar(query)) is not None:
        found.append(str(name))
        query = select(func.min(column)).where(column > name)
    return sorted(found)


def evidence_commodities(engine: Engine) -> list[str]:
    """Return the commodities that forecasts of the magnets may rest on, sorted.

    Their own, those of partners' records of them, and materials, which have names and no code.
    """
    return [
        name
        for name in read_commodities(engine)
        if MAGNETS.fullmatch(name) or not _CODE.fullmatch(name)
    ]


def read_covariates(engine: Engine, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Read monthly covariates, every version of them known at ``as_of``."""
    return read_table(engine, tables.covariates, as_of=as_of)


def read_events(engine: Engine, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Read every version of every policy event known at ``as_of``."""
    return read_table(engine, tables.policy_events, as_of=as_of)


def read_analog_events(engine: Engine, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Read every version of every control on another mineral known at ``as_of``."""
    return read_table(engine, tables.analog_events, as_of=as_of)


def read_tariffs(engine: Engine, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Read every version of every tariff step known at ``as_of``."""
    return read_table(engine, tables.tariff_steps, as_of=as_of)


def read_calendar(engine: Engine, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Read the releases of the customs statistics that had happened at ``as_of``."""
    return read_table(engine, tables.release_calendar, as_of=as_of)


def read_vintages(engine: Engine) -> pd.DataFrame:
    """Read the ingests so far, one row a file and ingest, oldest first; ``id`` names one."""
    return read_table(engine, tables.vintages)


def read_runs(engine: Engine) -> pd.DataFrame:
    """Read the runs, ordered by their id."""
    return read_table(engine, tables.runs)


def read_scores(engine: Engine, *, commodity: str | None = COMMODITY) -> pd.DataFrame:
    """Read the scores of all models and moments of a commodity, of all commodities if None."""
    wanted = [] if commodity is None else [tables.scores.c.commodity == commodity]
    return read_table(engine, tables.scores, wanted=wanted)


def read_forecasts(
    engine: Engine,
    *,
    as_of: datetime | None = None,
    destination: str | None = None,
    commodity: str | None = COMMODITY,
) -> pd.DataFrame:
    """Read published forecasts of exactly one ``as_of``, or of all.

    Args:
        engine: an opened store.
        as_of: the moment they stand at; None reads all.
        destination: only this one; None reads all.
        commodity: only this one, the magnets if not told; None reads all.

    Returns:
        ``as_of``, the columns of a forecast file, then ``band_hit_rate``, ``drivers``,
        ``contributions``, ``reason``, ``data_vintage`` and ``commodity``; ``cutoff`` and ``period``
        are ``YYYY-MM`` and ``model`` is the model's version. Ordered by commodity, as_of,
        destination, period, model.
    """
    wanted = [] if as_of is None else [tables.forecasts.c.as_of == as_of]
    if commodity is not None:
        wanted.append(tables.forecasts.c.commodity == commodity)
    if destination is not None:
        wanted.append(tables.forecasts.c.destination == destination)
    return published_columns(read_table(engine, tables.forecasts, wanted=wanted))


def latest_forecast(
    engine: Engine, *, as_of: datetime | None = None, commodity: str = COMMODITY
) -> pd.DataFrame:
    """Read the newest publication of a commodity, the magnets if not told, up to ``as_of``.

    Where several models were published for that moment, each destination and period shows the
    one published last. Empty when nothing was published yet; columns as ``read_forecasts``.
    """
    table = tables.forecasts
    own = table.c.commodity == commodity
    newest = select(table.c.as_of).where(own).order_by(table.c.as_of.desc()).limit(1)
    if as_of is not None:
        newest = newest.where(table.c.as_of <= as_of)
    rows = read_table(engine, table, wanted=[own, table.c.as_of.in_(newest)])
    latest = rows.groupby(["destination", "period"])["id"].transform("max")
    return published_columns(rows[rows["id"] == latest])


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was known at a moment, as digests: equal rows give equal ones."""

    digest: str
    """Of all of it: the ``data_vintage`` of what is made from it."""
    tables: Mapping[str, str]
    """Of each table: number of rows and the start of a digest."""


def data_vintage(engine: Engine, *, as_of: datetime | None = None) -> str:
    """Return a digest of all evidence on magnets known at ``as_of``; equal rows, equal digests."""
    return evidence(engine, as_of=as_of).digest


def evidence(
    engine: Engine, *, as_of: datetime | None = None, until: int | None = None
) -> Evidence:
    """Return digests of the evidence on magnets known at ``as_of``.

    Args:
        engine: an opened store.
        as_of: leave out rows that became known later; None takes all.
        until: leave out figures that later ingests than this one brought; None takes all.
    """
    digest, parts = hashlib.sha256(), {}
    own = tables.observations.c.commodity.in_(evidence_commodities(engine))
    with engine.begin() as connection:
        for table in (*_EVIDENCE, *_LATER_EVIDENCE):
            wanted = [own, *_brought_by(until)] if table is tables.observations else []
            frame = fetch(connection, table, as_of=as_of, wanted=wanted)
            if frame.empty and table in _LATER_EVIDENCE:
                continue
            text = frame.to_csv(index=False, lineterminator="\n").encode()
            digest.update(table.name.encode())
            digest.update(text)
            parts[table.name] = f"{len(frame)} rows, {hashlib.sha256(text).hexdigest()[:16]}"
    return Evidence(digest.hexdigest(), parts)


def newest_ingest(engine: Engine) -> int:
    """Return the number of the last ingest, 0 before the first."""
    with engine.begin() as connection:
        return connection.scalar(select(func.max(tables.vintages.c.id))) or 0


def newest_level(engine: Engine, *, as_of: datetime, commodity: str) -> date | None:
    """Return the first day of the last month that a figure of China's known at ``as_of`` tells of.

    None where there is none.
    """
    table = tables.observations.c
    own = (table.commodity == commodity, table.available_at <= as_of, table.origin == ORIGIN)
    levels = table.measure.in_(("net_weight_t", "value_musd"))
    with engine.begin() as connection:
        found: date | None = connection.scalar(
            select(func.max(table.period_to)).where(*own, levels)
        )
        return found


def _brought_by(until: int | None) -> list[ColumnElement[bool]]:
    """Return what is true of figures that an ingest, or one before it, brought."""
    vintage = tables.observations.c.vintage
    return [] if until is None else [or_(vintage.is_(None), vintage <= until)]


def read_table(
    engine: Engine,
    table: Table,
    *,
    as_of: datetime | None = None,
    wanted: Sequence[ColumnElement[bool]] = (),
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read rows of a table in one transaction; as ``fetch``."""
    with engine.begin() as connection:
        return fetch(connection, table, as_of=as_of, wanted=wanted, columns=columns)


def fetch(
    connection: Connection,
    table: Table,
    *,
    as_of: datetime | None = None,
    wanted: Sequence[ColumnElement[bool]] = (),
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Fetch rows known at ``as_of`` and sort them by natural key, the same on every database.

    Args:
        connection: within a transaction.
        table: what to read.
        as_of: leave out rows that became known later; None reads all.
        wanted: what must be true of a row.
        columns: names of the columns to read; None reads all a source fills.
    """
    listed = told_columns(table) if columns is None else [table.columns[name] for name in columns]
    # Without a type the driver's own values come, which are typed a column at a time.
    plain: list[ColumnElement[Any]] = [literal_column(column.name) for column in listed]
    query = select(*plain).select_from(table).where(*wanted)
    if as_of is not None:
        query = query.where(table.c.available_at <= as_of)
    frame = frame_of(connection.execute(query), listed)
    order = [name for name in natural_key(table) if name in frame.columns]
    return frame.sort_values(order, ignore_index=True)


def published_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Show stored forecasts as the columns of a forecast file, with what was published beside."""
    months = {name: rows[name].dt.strftime("%Y-%m") for name in ("cutoff", "period")}
    frame = rows.assign(**months).rename(columns={"model_version": "model"})
    extra = ["band_hit_rate", "drivers", "contributions", "reason", "data_vintage", "commodity"]
    return frame[["as_of", *FORECAST_COLUMNS, *extra]].reset_index(drop=True)
