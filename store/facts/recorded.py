"""One rule of time: nothing is written as known before the newest moment of its table."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, func, select

from store.errors import DataError
from store.schema.planning_tables import audit
from store.schema.publication_tables import publications
from store.schema.tables import vintages
from store.settings import Settings

WAITED: Final = timedelta(minutes=1)
"""How long a write may have waited for another since it read the clock."""

MOMENTS: Final = (vintages.c.ingested_at, audit.c.at, publications.c.published_at)
"""When each kind of write was made."""


def newest_write(connection: Connection) -> datetime | None:
    """Return the moment of the newest write on record, None before the first."""
    found = [connection.scalar(select(func.max(moment))) for moment in MOMENTS]
    return max((one for one in found if one is not None), default=None)


def check_clock(connection: Connection, moment: Column[Any], at: datetime) -> None:
    """Refuse a write by a clock that was set back: it would claim to have known things earlier.

    Args:
        connection: Within the write transaction.
        moment: The column of moments of the table that is written.
        at: The moment of the write, aware.

    Raises:
        DataError: The table has a row from later, by more than ``WAITED``.
    """
    newest = connection.scalar(select(func.max(moment)))
    if newest is None or newest <= at + WAITED or Settings().despite_clock:
        return
    raise DataError(
        f"This machine's clock reads {at:%Y-%m-%d %H:%M:%S} UTC, and the newest row of "
        f"{moment.table.name} is of {newest:%Y-%m-%d %H:%M:%S} UTC. Expected a clock that only "
        "goes forward; nothing was written. Set the clock, or, if it is right now and was ahead "
        "then, write with --despite-clock."
    )
