"""Commodities: the labels users give them, and how many destinations each source of them covers."""

from datetime import datetime, timedelta
from typing import Final

import pandas as pd
from sqlalchemy import Connection, Engine, Select, func, insert, select

from store.database import writing
from store.facts.reading import known_by
from store.schema.publication_tables import labels
from store.schema.tables import observations
from store.vocabulary import ORIGIN


def save_label(engine: Engine, commodity: str, label: str, *, at: datetime) -> bool:
    """Save the label of a commodity, unless it has this label already.

    Args:
        engine: an opened store.
        commodity: a code.
        label: one line of text; empty leaves the earlier label in force.
        at: the moment, aware.

    Returns: whether it is new.
    """
    if not label:
        return False
    with writing(engine) as connection:
        before = connection.execute(_newest_label(commodity)).first()
        if before is not None and before.label == label:
            return False
        # Later than the one before, whatever the clock did since.
        moment = at if before is None else max(at, before.available_at + timedelta(microseconds=1))
        row = {"commodity": commodity, "available_at": moment, "label": label}
        connection.execute(insert(labels).values(**row))
    return True


def read_label(engine: Engine, commodity: str) -> str:
    """Read the newest label of a commodity; empty where it has none."""
    with engine.begin() as connection:
        found = connection.execute(_newest_label(commodity)).first()
    return "" if found is None else str(found.label)


def fetch_labels(connection: Connection) -> dict[str, str]:
    """Fetch the newest label of each commodity."""
    rows = connection.execute(select(labels).order_by(labels.c.available_at))
    return {str(row.commodity): str(row.label) for row in rows}


def _newest_label(commodity: str) -> Select[tuple[object, ...]]:
    own = labels.c.commodity == commodity
    return select(labels).where(own).order_by(labels.c.available_at.desc()).limit(1)


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
