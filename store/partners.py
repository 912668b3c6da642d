"""Who is told of in China's tonnes: finds full partner tables without reading them."""

from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Engine, func, select

from store.tables import observations
from store.vocabulary import ORIGIN

MEASURE: Final = "net_weight_t"


def read_partner_counts(engine: Engine, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Count the destinations of each commodity and source.

    Args:
        engine: an opened store.
        as_of: leave out rows that became known later; None counts all.

    Returns:
        commodity, source, destinations: how many have usable figures of single months; ordered by
        commodity and source.
    """
    row = observations.c
    query = (
        select(row.commodity, row.source, func.count(row.destination.distinct()))
        .where(row.origin == ORIGIN, row.measure == MEASURE, row.usable)
        .where(row.period_from == row.period_to)
        .group_by(row.commodity, row.source)
        .order_by(row.commodity, row.source)
    )
    if as_of is not None:
        query = query.where(row.available_at <= as_of)
    with engine.begin() as connection:
        rows = [tuple(found) for found in connection.execute(query)]
    return pd.DataFrame(rows, columns=["commodity", "source", "destinations"])
