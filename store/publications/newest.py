"""What was published last of each commodity, and how its last run ended; reads no forecast."""

from typing import Final

import pandas as pd
from sqlalchemy import Column, Date, Engine, Integer, and_, func, select

from store.schema.frames import frame_of
from store.schema.tables import forecasts, runs

COLUMNS: Final = (
    "commodity", "as_of", "cutoff", "first_period", "last_period", "months", "destinations",
    "status", "last_run",
)  # fmt: skip

_TOLD: Final = (
    forecasts.c.commodity,
    forecasts.c.as_of,
    forecasts.c.cutoff,
    Column("first_period", Date),
    Column("last_period", Date),
    Column("months", Integer),
    Column("destinations", Integer),
    forecasts.c.status,
)
"""Names and types of what is gathered of forecasts."""


def read_newest(engine: Engine) -> pd.DataFrame:
    """Return one row a commodity that was published or run, sorted: ``COLUMNS``.

    ``as_of`` (UTC), ``cutoff``, ``first_period`` and ``last_period`` (first days), the
    numbers of ``months`` and ``destinations`` and ``status`` are those of its newest forecast,
    missing where there is none; ``last_run`` is how its last run ended, empty where none is noted.
    """
    row, run = forecasts.c, runs.c
    newest = select(row.commodity, func.max(row.as_of).label("as_of")).group_by(row.commodity)
    of = newest.subquery("newest")
    same = and_(row.commodity == of.c.commodity, row.as_of == of.c.as_of)
    told = (
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
        published = frame_of(connection.execute(told), _TOLD)
        last = {str(code): str(status) for code, status in connection.execute(ended) if code}
    found = published.set_index("commodity")
    found = found.reindex(sorted({*found.index, *last})).rename_axis("commodity").reset_index()
    return found.assign(last_run=found["commodity"].map(last).fillna(""))[list(COLUMNS)]
