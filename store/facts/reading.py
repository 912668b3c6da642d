"""Reading rows: typed frames in one order, and what changed between two ingests."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
import sqlalchemy as sa

from store.database import reading
from store.errors import DataError, first_few
from store.facts.new_rows import SAME, stored_like
from store.schema import database_tables as tables
from store.schema.frames import frame_of
from store.vocabulary import COMMODITY, FORECAST_COLUMNS, ORIGIN


def read_observations(
    engine: sa.Engine,
    *,
    as_of: datetime | None = None,
    commodity: str | None = None,
    source: str | None = None,
    until: int | None = None,
    commodities: Collection[str] | None = None,
) -> pd.DataFrame:
    """Read published figures, every version of them, ordered by natural key.

    Only those of a commodity (or analog material), of some, or of a source, that were known at
    ``as_of`` and ingested ``until`` that number; None reads all.
    """
    table = tables.observations
    filters = ((table.c.commodity, commodity), (table.c.source, source))
    wanted = [column == value for column, value in filters if value is not None]
    if commodities is not None:
        wanted.append(table.c.commodity.in_(list(commodities)))
    return read_table(engine, table, as_of=as_of, until=until, wanted=wanted)


def read_commodities(
    where: sa.Engine | sa.Connection, table: sa.Table = tables.observations
) -> list[str]:
    """Read which commodities and materials have rows in a table, sorted, without reading those."""
    column = table.c.commodity
    commodities: list[str] = []
    # One index lookup per commodity: DISTINCT would read every row.
    query = sa.select(sa.func.min(column))
    with reading(where) as connection:
        while (name := connection.scalar(query)) is not None:
            commodities.append(str(name))
            query = sa.select(sa.func.min(column)).where(column > name)
    return sorted(commodities)


def read_events(
    engine: sa.Engine, *, as_of: datetime | None = None, until: int | None = None
) -> pd.DataFrame:
    """Read every version of every policy event known at ``as_of``, by ingest ``until``."""
    return read_table(engine, tables.policy_events, as_of=as_of, until=until)


def read_tariffs(
    engine: sa.Engine, *, as_of: datetime | None = None, until: int | None = None
) -> pd.DataFrame:
    """Read every version of every tariff step known at ``as_of``, by ingest ``until``."""
    return read_table(engine, tables.tariff_steps, as_of=as_of, until=until)


def read_calendar(engine: sa.Engine, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Read the releases of the customs statistics that had happened at ``as_of``."""
    return read_table(engine, tables.release_calendar, as_of=as_of)


def read_vintages(engine: sa.Engine) -> pd.DataFrame:
    """Read the ingests, one row per file and ingest, oldest first; ``id`` identifies one."""
    return read_table(engine, tables.vintages)


def read_runs(engine: sa.Engine) -> pd.DataFrame:
    """Read the runs, ordered by their id."""
    return read_table(engine, tables.runs)


def read_forecasts(
    engine: sa.Engine, *, as_of: datetime | None = None, commodity: str | None = COMMODITY
) -> pd.DataFrame:
    """Read published forecasts of exactly one ``as_of``, or of all: its newest publication.

    Args:
        as_of: their as_of; None reads all.
        commodity: only this one, magnets by default; None reads all.

    Returns:
        ``as_of``, the columns of a forecast file, then ``drivers``, ``contributions``, ``reason``,
        ``data_vintage``, ``commodity`` and ``publication``, its number; ``cutoff`` and ``period``
        are ``YYYY-MM`` and ``model`` is the model's version.
        Ordered by commodity, as_of, destination, period, model.
    """
    wanted = [] if as_of is None else [tables.forecasts.c.as_of == as_of]
    if commodity is not None:
        wanted.append(tables.forecasts.c.commodity == commodity)
    return published_columns(
        newest_publications(read_table(engine, tables.forecasts, wanted=wanted))
    )


def read_bands(engine: sa.Engine, *, as_of: datetime, periods: Sequence[date]) -> pd.DataFrame:
    """Bands (p05, p50, p95 in tonnes) of months of the magnets published by ``as_of``, in order."""
    row = tables.forecasts.c
    wanted = [row.commodity == COMMODITY, row.as_of <= as_of, row.period.in_(periods)]
    columns = ["as_of", "publication", "destination", "period", "p05", "p50", "p95"]
    rows = read_table(engine, tables.forecasts, wanted=wanted, columns=columns)
    ordered = rows.sort_values(["as_of", "publication"], kind="stable", ignore_index=True)
    return ordered.drop(columns=["as_of", "publication"])


def newest_publications(rows: pd.DataFrame) -> pd.DataFrame:
    """Stored forecasts of the newest publication of each commodity and moment."""
    newest = rows.groupby(["commodity", "as_of"])["publication"].transform("max")
    return rows[rows["publication"] == newest]


def read_publication(engine: sa.Engine, number: int) -> pd.DataFrame:
    """Read one publication by its number, as ``read_forecasts``; empty if there is none."""
    wanted = [tables.forecasts.c.publication == number]
    return published_columns(read_table(engine, tables.forecasts, wanted=wanted))


def latest_forecast(
    engine: sa.Engine, *, as_of: datetime | None = None, commodity: str = COMMODITY
) -> pd.DataFrame:
    """Read the newest publication of a commodity, magnets by default, up to ``as_of``.

    A moment with several publications shows the last. Empty when nothing was published yet;
    columns as ``read_forecasts``.
    """
    table = tables.forecasts
    is_commodity = table.c.commodity == commodity
    newest = sa.select(table.c.as_of).where(is_commodity).order_by(table.c.as_of.desc()).limit(1)
    if as_of is not None:
        newest = newest.where(table.c.as_of <= as_of)
    rows = read_table(engine, table, wanted=[is_commodity, table.c.as_of.in_(newest)])
    return published_columns(newest_publications(rows))


def newest_ingest(engine: sa.Engine) -> int:
    """The number of the last ingest, 0 before the first."""
    with engine.begin() as connection:
        return connection.scalar(sa.select(sa.func.max(tables.vintages.c.id))) or 0


def last_reported_month(engine: sa.Engine, *, as_of: datetime, commodity: str) -> date | None:
    """The first day of the last month with a Chinese figure known at ``as_of``, or None."""
    table = tables.observations.c
    is_series = (table.commodity == commodity, table.origin == ORIGIN)
    levels = table.measure.in_(("net_weight_t", "value_musd"))
    is_available = known_by(tables.observations, as_of)
    with engine.begin() as connection:
        month: date | None = connection.scalar(
            sa.select(sa.func.max(table.period_to)).where(*is_series, *is_available, levels)
        )
        return month


def known_by(table: sa.Table, as_of: datetime | None) -> list[sa.ColumnElement[bool]]:
    """The condition for versions known at ``as_of``; ``known_at`` picks the one in force."""
    return [] if as_of is None else [table.c.available_at <= as_of]


def read_table(
    where: sa.Engine | sa.Connection,
    table: sa.Table,
    *,
    as_of: datetime | None = None,
    until: int | None = None,
    wanted: Sequence[sa.ColumnElement[bool]] = (),
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read rows known at ``as_of`` and sort them by natural key, the same on every database.

    Args:
        until: leave out rows of later ingests than this one; None reads all.
        columns: names of the columns to read; None reads all that a source fills.
    """
    read = (
        tables.source_columns(table)
        if columns is None
        else [table.columns[name] for name in columns]
    )
    # Without a type the driver returns raw values, which are then typed column by column.
    plain: list[sa.ColumnElement[Any]] = [sa.literal_column(column.name) for column in read]
    available = known_by(table, as_of)
    if until is not None:
        available.append(sa.or_(table.c.vintage.is_(None), table.c.vintage <= until))
    query = sa.select(*plain).select_from(table).where(*wanted, *available)
    with reading(where) as connection:
        frame = frame_of(connection.execute(query), read)
    order = [name for name in tables.natural_key(table) if name in frame.columns]
    return frame.sort_values(order, ignore_index=True)


def published_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Stored forecasts with the columns of a forecast file, then the other columns."""
    months = {name: rows[name].dt.strftime("%Y-%m") for name in ("cutoff", "period")}
    frame = rows.assign(**months).rename(columns={"model_version": "model"})
    extra = ["drivers", "contributions", "reason", "data_vintage", "commodity", "publication"]
    return frame.filter(["as_of", *FORECAST_COLUMNS, *extra]).reset_index(drop=True)


def _event_changes(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """Yield the fields of events that differ, ``event`` for a new one; as in ``diff_vintages``."""
    earlier = before.set_index("event_id")
    for event_id, event in after.set_index("event_id").iterrows():
        period, places = f"{event['announced_on']:%Y-%m-%d}", str(event["destinations"])
        if event_id not in earlier.index:
            yield str(event_id), "event", period, "", str(event["summary"]), "new", places
            continue
        previous = earlier.loc[str(event_id)]
        for name in tables.version_columns(tables.policy_events):
            old, new = _text(previous[name]), _text(event[name])
            if old != new:
                yield str(event_id), name, period, old, new, "revised", places


def _text(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return "" if value is None or value is pd.NaT else str(value)


_COLUMNS: Final = (
    "commodity", "origin", "destination", "measure", "period", "before", "after", "change", "what",
    "source",
)  # fmt: skip


def diff_vintages(engine: sa.Engine, first: int, second: int) -> pd.DataFrame:
    """Compare the newest version of each figure after two ingests, the earlier one first.

    Two ingests of one source are compared on that source alone, others on all figures between.

    Returns:
        One row per figure that differs: commodity, origin, destination, measure, period (a month or
        ``first..last``), before, after and change (in the measure's unit; missing where there was
        no figure), what (``new`` or ``revised``) and source. Ordered by these; empty when nothing
        changed. After them the fields of policy events that differ, with the event's id as origin,
        the field as measure, the day it was announced as period, and before and after as text.
    """
    low, high = sorted((first, second))
    with engine.begin() as connection:
        earlier, later = _vintage(connection, low), _vintage(connection, high)
        between = tables.vintages.c.id.between(earlier.id + 1, later.id)
        if earlier.source == later.source:
            between &= tables.vintages.c.source == earlier.source
        figures, events = (
            [_newest(versions, table, number) for number in (low, high)]
            for table, values in (
                (tables.observations, ["value"]),
                (tables.policy_events, tables.version_columns(tables.policy_events)),
            )
            for versions in [_versions(connection, table, between, values)]
        )
    figure_changes = _figure_changes(*figures)
    names = ["origin", "measure", "period", "before", "after", "what", "destination"]
    changed = pd.DataFrame(_event_changes(*events), columns=names)
    if changed.empty:
        return figure_changes
    return pd.concat([figure_changes.astype(object), changed], ignore_index=True)[
        list(_COLUMNS)
    ].fillna("")


def _vintage(connection: sa.Connection, number: int) -> sa.Row[Any]:
    row = connection.execute(
        sa.select(tables.vintages).where(tables.vintages.c.id == number)
    ).first()
    if row is None:
        numbers = connection.scalars(
            sa.select(tables.vintages.c.id).order_by(tables.vintages.c.id.desc())
        ).all()
        raise DataError(
            f"No vintage {number} in table vintages. Expected one of "
            f"{first_few(numbers) if numbers else 'those ingested, and there is none'}. "
            "See `magnetcast data vintages`."
        )
    return row


def _versions(
    connection: sa.Connection,
    table: sa.Table,
    between: sa.ColumnElement[bool],
    values: Sequence[str],
) -> pd.DataFrame:
    """Fetch all versions of the cells of which some ingests added one."""
    added = [table.c.vintage.in_(sa.select(tables.vintages.c.id).where(between))]
    cells = read_table(
        connection, table, wanted=added, columns=tables.cell_of(table)
    ).drop_duplicates()
    wanted = [*tables.cell_of(table), tables.MOMENT, *values, "vintage"]
    return stored_like(connection, table, cells, wanted=wanted)


def _newest(versions: pd.DataFrame, table: sa.Table, vintage: int) -> pd.DataFrame:
    """Newest version of each cell as stored after an ingest."""
    # Rows stored before ingests were numbered have no vintage: they count as the first.
    stored = versions.loc[versions["vintage"].fillna(0) <= vintage]
    ordered = stored.sort_values([*tables.cell_of(table), tables.MOMENT])
    newest = ordered.drop_duplicates(tables.cell_of(table), keep="last")
    return newest.drop(columns=[tables.MOMENT, "vintage"])


def _figure_changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    cell = list(tables.cell_of(tables.observations))
    pairs = after.merge(before, on=cell, how="left", suffixes=("_after", "_before"))
    pairs = pairs.rename(columns={"value_before": "before", "value_after": "after"})
    pairs["change"] = pairs["after"] - pairs["before"]
    pairs["what"] = np.where(pairs["before"].isna(), "new", "revised")
    size = pairs[["before", "after"]].abs().max(axis=1)
    changed = pairs.loc[pairs["before"].isna() | (pairs["change"].abs() > SAME * size)]
    first, last = (changed[name].dt.strftime("%Y-%m") for name in ("period_from", "period_to"))
    period = first.where(first == last, first + ".." + last)
    return changed.assign(period=period)[list(_COLUMNS)].sort_values(
        ["commodity", "origin", "destination", "measure", "period", "source"], ignore_index=True
    )
