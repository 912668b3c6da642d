"""How many destinations each source covers: finds full partner tables without reading them."""

from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Engine, func, select

from store.facts.reading import known_by
from store.schema.tables import observations
from store.vocabulary import ORIGIN

MEASURE: Final = "net_weight_t"


def read_partner_counts(engine: Engine, *, as_of: datetime | None = None) -> pd.DataFrame:
    """Count the destinations of each commodity and source, in the month with most of them.

    Args:
        engine: an opened store.
        as_of: leave out rows that became known later; None counts all.

    Returns:
        commodity, source, destinations: how many have usable figures of one single month; ordered
        by commodity and source.
    """
    row = observations.c
    count = func.count(row.destination.distinct()).label("destinations")
    months = (
        select(row.commodity, row.source, count)
        .where(row.origin == ORIGIN, row.measure == MEASURE, row.usable)
        .where(row.period_from == row.period_to)
        .where(*known_by(observations, as_of))
        .group_by(row.commodity, row.source, row.period_from)
    )
    of = months.subquery().c
    query = (
        select(of.commodity, of.source, func.max(of.destinations))
        .group_by(of.commodity, of.source)
        .order_by(of.commodity, of.source)
    )
    with engine.begin() as connection:
        rows = [tuple(found) for found in connection.execute(query)]
    return pd.DataFrame(rows, columns=["commodity", "source", "destinations"])
