"""Evidence of time: nothing is written as known before the newest moment on record, or ahead."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from store.errors import DataError
from store.facts.batch import FileRows
from store.schema.planning_tables import audit
from store.schema.publication_tables import publications
from store.schema.tables import vintages

SLACK: Final = timedelta(hours=1)
"""How much later another process may have written since this one read the clock."""

AHEAD: Final = timedelta(days=1)
"""How far this machine's clock may be ahead of a provider's."""

QUIET: Final = timedelta(days=62)
"""Longest that a store which follows the releases is not written: January comes with February."""

_WRITTEN: Final = (
    ("an ingest", vintages.c.ingested_at, vintages.c.id),
    ("an entry of the audit trail", audit.c.at, audit.c.id),
    ("a publication", publications.c.published_at, publications.c.id),
)


def newest_write(connection: Connection) -> datetime | None:
    """Return the moment of the newest write on record, None before the first."""
    return max((moment for _, moment in _newest(connection)), default=None)


def check_clock(connection: Connection, at: datetime) -> None:
    """Refuse a write by a clock that was set back: it would claim to have known things earlier.

    Args:
        connection: Within the write transaction.
        at: The moment of the write, aware.

    Raises:
        DataError: The newest row on record is more than ``SLACK`` later.
    """
    for what, newest in _newest(connection):
        if newest > at + SLACK:
            raise DataError(
                f"This machine's clock reads {at:%Y-%m-%d %H:%M} UTC, and {what} was written on "
                f"{newest:%Y-%m-%d %H:%M} UTC. Expected a clock that only goes forward; nothing "
                "was written. Set the clock (`timedatectl`). If it is right now and was ahead "
                "then, restore the last backup from before (`magnetcast restore FILE --force`)."
            )


def check_not_ahead(connection: Connection, at: datetime, file: FileRows) -> None:
    """Refuse a write by a clock that is ahead of other evidence of time.

    Args:
        connection: Within the write transaction.
        at: The moment of the write, aware.
        file: What is written. A provider's answer is evidence, and for rows that this machine's
            clock alone dates the newest write on record.

    Raises:
        DataError: It is ahead of the answer by more than ``AHEAD``, of the write by ``QUIET``.
    """
    clock = f"This machine's clock reads {at:%Y-%m-%d %H:%M} UTC, and"
    if file.asked_at is not None and at > file.asked_at + AHEAD:
        raise DataError(
            f"{clock} {file.source} answered at {file.asked_at:%Y-%m-%d %H:%M} UTC. Expected the "
            "same day; nothing was written. Set the clock (`timedatectl`)."
        )
    newest = newest_write(connection) if file.dated_by_clock else None
    if newest is not None and at > newest + QUIET:
        raise DataError(
            f"{clock} the newest write on record is of {newest:%Y-%m-%d %H:%M} UTC. Expected at "
            f"most {QUIET.days} days between them where the clock alone dates a figure; nothing "
            "was written. Set the clock (`timedatectl`), or state the day (--published-on)."
        )


def _newest(connection: Connection) -> Iterator[tuple[str, datetime]]:
    """Yield the newest moment of each kind of write."""
    for what, moment, number in _WRITTEN:
        rows = select(moment).where(moment.is_not(None)).order_by(number.desc()).limit(1)
        if (newest := connection.scalar(rows)) is not None:
            yield what, newest
