"""The newest publication and the last run of each commodity, without reading the forecasts."""

from typing import Final

import pandas as pd
from sqlalchemy import Column, Date, Engine, Integer, and_, func, select

from store.schema.frames import frame_of
from store.schema.tables import forecasts, runs

COLUMNS: Final = (
    "commodity", "as_of", "cutoff", "first_period", "last_period", "months", "destinations",
    "status", "last_run",
)  # fmt: skip

_PUBLISHED: Final = (
    forecasts.c.commodity,
    forecasts.c.as_of,
    forecasts.c.cutoff,
    Column("first_period", Date),
    Column("last_period", Date),
    Column("months", Integer),
    Column("destinations", Integer),
    forecasts.c.status,
)
"""Names and types of the columns aggregated from forecasts."""


def read_newest(engine: Engine) -> pd.DataFrame:
    """Return one row per commodity that was published or run, sorted: ``COLUMNS``.

    All but ``last_run`` describe the newest forecast and are missing where there is none:
    ``as_of`` is UTC, ``cutoff``, ``first_period`` and ``last_period`` are first days, ``months``
    and ``destinations`` are counts. ``last_run`` is the status of the last run, empty without one.
    """
    row, run = forecasts.c, runs.c
    newest = select(row.commodity, func.max(row.as_of).label("as_of")).group_by(row.commodity)
    of = newest.subquery("newest")
    same = and_(row.commodity == of.c.commodity, row.as_of == of.c.as_of)
    summary = (
        select(
            row.commodity, row.as_of, func.max(row.cutoff), func.min(row.period),
            func.max(row.period), func.count(row.period.distinct()),
            func.count(row.destination.distinct()), func.max(row.status),
        )
        .join(of, same)
        .group_by(row.commodity, row.as_of)
    )  # fmt: skip
    ended = select(run.commodity, run.status).order_by(run.started_at)
    with engine.begin() as connection:
        published = frame_of(connection.execute(summary), _PUBLISHED)
        last = {str(code): str(status) for code, status in connection.execute(ended) if code}
    found = published.set_index("commodity")
    found = found.reindex(sorted({*found.index, *last})).rename_axis("commodity").reset_index()
    return found.assign(last_run=found["commodity"].map(last).fillna(""))[list(COLUMNS)]
