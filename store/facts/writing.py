"""Writing rows: a whole batch or nothing, each row once, and no stored row is ever changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection, Engine, select

from store.database import insert_row, reading, writing
from store.errors import DataError, StoreError
from store.facts.batch import Batch, FileRows, WriteReport
from store.facts.new_rows import (
    IncomingRows,
    check_clock,
    drop_duplicate_rows,
    insert_rows,
    new_rows,
    new_versions,
    stored_like,
)
from store.schema.database_tables import (
    MOMENT,
    cell_of,
    metadata,
    natural_key,
    reviews,
    version_columns,
    vintages,
)
from store.schema.frames import DATE_DTYPE, as_table

PROPOSALS: Final = "proposals"
"""Name under which a source hands items for review to the store."""

_PERIODS: Final = ("period_from", "period_to")
"""Columns that hold the first and the last month a row covers."""

Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """Who writes when, and what counts as new."""

    at: datetime | None = None
    actor: str = ""
    revised_at: datetime | None = None
    """Of a provider that changes figures without saying when: the date of a change; None for rows
    that all count."""


def write_batch(
    engine: Engine,
    batch: Batch,
    *,
    ingested_at: datetime | None = None,
    actor: str = "",
    revises: bool = False,
    is_trial: bool = False,
) -> WriteReport:
    """Write a batch and one vintage row per file, in one transaction.

    A file with the same bytes as one ingested before is skipped. Rows already in the store are
    left as they are; a row that contradicts a stored one stops the whole batch. Rows of
    ``proposals`` go to the review queue.

    Args:
        batch: rows as the sources made them; not modified.
        ingested_at: moment to record in the vintages, if the caller has a clock.
        revises: of providers that change figures without saying when: leave out a row that repeats
            the known value of its cell, whatever its date, and date one that differs and is dated
            no later by ``ingested_at``, which must be given. A file then counts as known only if
            its newest version has the same bytes, because a provider may return to an earlier
            answer.
        is_trial: take it all back, so that only the report remains.

    Returns:
        New rows by table, and the new vintages.
    """
    revised_at = ingested_at if revises else None
    ingest = Ingest(at=ingested_at, actor=actor, revised_at=revised_at)
    checked = [(file, checked_tables(file)) for file in batch.files]
    with writing(engine) as connection:
        report = write_within(connection, checked, ingest)
        if is_trial:
            connection.rollback()
    return report


def checked_tables(file: FileRows) -> Tables:
    """Check every table of a file against its schema."""
    from store.schema.frame_schemas import validate  # noqa: PLC0415 - pandera: half a second

    unknown = sorted(set(file.tables) - {*metadata.tables, PROPOSALS})
    if unknown:
        raise StoreError(f"No table {unknown} in the store; the file {file.file_name} asks for it.")
    return {n: validate(frame, n, where=file.file_name) for n, frame in file.tables.items()}


def write_within(
    connection: Connection, files: list[tuple[FileRows, Tables]], ingest: Ingest
) -> WriteReport:
    """Write checked files within a transaction of the caller; as ``write_batch``."""
    if ingest.at is not None:
        check_clock(connection, vintages.c.ingested_at, ingest.at)
    vintage_ids: list[int] = []
    written: dict[str, int] = {}
    for file, tables in files:
        if is_known(connection, file, revises=ingest.revised_at is not None):
            continue
        vintage = _add_vintage(connection, file, tables, ingest)
        vintage_ids.append(vintage)
        for name, frame in tables.items():
            new = _write_table(connection, name, frame.assign(vintage=vintage), file, ingest)
            written[name] = written.get(name, 0) + new
    return WriteReport(
        rows_written=written, already_known=not vintage_ids, vintage_ids=tuple(vintage_ids)
    )


def add_proposals(connection: Connection, items: pd.DataFrame, *, at: datetime | None) -> int:
    """Add items to the review queue and return how many are new; known ones stay as they are."""
    if at is None:
        raise DataError(
            f"{len(items)} items for review come without a moment. Expected the moment of the "
            "ingest. Pass ingested_at."
        )
    key = list(natural_key(reviews))
    stored = stored_like(connection, reviews, items[key], wanted=key)
    is_stored = items[key].merge(stored, how="left", indicator=True)["_merge"].to_numpy() == "both"
    new = items[~is_stored].assign(
        proposed_at=pd.Timestamp(at), decision="", decided_by="", note=""
    )
    if len(new):
        insert_rows(connection, reviews, as_table(new, reviews))
    return len(new)


def _write_table(
    connection: Connection, name: str, frame: pd.DataFrame, file: FileRows, ingest: Ingest
) -> int:
    """Insert the rows that are new and return how many there were."""
    if name == PROPOSALS:
        return add_proposals(connection, frame, at=ingest.at)
    table = metadata.tables[name]
    incoming = drop_duplicate_rows(IncomingRows(table, as_table(frame, table), file.file_name))
    key = natural_key(table)
    wanted = [*key, *(c for c in version_columns(table) if c in incoming.rows)]
    if ingest.revised_at is not None and MOMENT in key:
        cells = incoming.rows[list(cell_of(table))].drop_duplicates()
        stored = stored_like(connection, table, cells, wanted=wanted)
        new = new_versions(incoming, stored, revised_at=ingest.revised_at)
    else:
        stored = stored_like(connection, table, incoming.rows[list(key)], wanted=wanted)
        new = new_rows(incoming, stored)
    if len(new):
        insert_rows(connection, table, new)
    return len(new)


def is_known(where: Engine | Connection, file: FileRows, *, revises: bool) -> bool:
    """Whether a file's bytes were ingested before.

    Args:
        revises: Whether earlier bytes may return, so that only the newest version counts: of the
            same answer of a provider, else of the source whatever the file is called.
    """
    table = vintages.c
    is_file = table.source == file.source
    if file.asked or not revises:
        is_file &= table.file_name == file.file_name
    if file.is_complete:  # said of a file that may have been loaded as partial
        is_file &= table.asked == file.asked
    query = select(table.sha256).where(is_file).order_by(table.id.desc())
    with reading(where) as connection:
        return file.sha256 in connection.scalars(query.limit(1) if revises else query).all()


def _add_vintage(connection: Connection, file: FileRows, tables: Tables, ingest: Ingest) -> int:
    days = [frame[name] for frame in tables.values() for name in _PERIODS if name in frame]
    dates = pd.concat(days).dropna() if days else pd.Series(dtype=DATE_DTYPE)
    months = (dates.min(), dates.max()) if len(dates) else (None, None)
    row = {
        "source": file.source,
        "file_name": file.file_name,
        "asked": file.asked,
        "sha256": file.sha256,
        "rows": sum(len(frame) for frame in tables.values()),
        "ingested_at": ingest.at,
        "period_from": months[0],
        "period_to": months[1],
        "actor": ingest.actor,
    }
    return insert_row(connection, vintages, row)
