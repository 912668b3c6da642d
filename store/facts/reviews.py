"""What waits for a person: refused files in quarantine, and items that watchers found."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal

import pandas as pd
from sqlalchemy import Column, Connection, Engine, select, update

from store.database import insert_row, writing
from store.errors import DataError, first_few
from store.facts.batch import FileRows, WriteReport
from store.facts.reading import read_table
from store.facts.writing import Ingest, checked_tables, write_within
from store.schema.database_tables import quarantine, reviews
from store.schema.frames import tables_from_json, tables_to_json

_SHOWN: Final = (
    "id", "source", "file_name", "asked", "sha256", "reasons", "quarantined_at", "actor",
    "released_at", "released_by",
)  # fmt: skip


def quarantine_file(
    engine: Engine,
    file: FileRows,
    *,
    reasons: Sequence[str],
    at: datetime,
    actor: str,
    revises: bool = False,
) -> int:
    """Store a refused file and return the number to release it by.

    A file already in quarantine keeps its number; its reasons are updated.

    Args:
        reasons: why, one sentence each.
        revises: as for ``write_batch``, stored for the release.
    """
    values = {"reasons": json.dumps(list(reasons), ensure_ascii=False)}
    tables = tables_to_json(file.tables)
    payload = {"ignored": list(file.ignored), "revises": revises, "tables": tables}
    table = quarantine.c
    same = (
        table.source == file.source,
        table.file_name == file.file_name,
        table.sha256 == file.sha256,
        table.released_at.is_(None),
    )
    with writing(engine) as connection:
        waiting = connection.scalar(select(table.id).where(*same).order_by(table.id))
        if waiting is not None:
            connection.execute(update(quarantine).where(table.id == waiting).values(values))
            return int(waiting)
        row = {
            **values,
            "source": file.source,
            "file_name": file.file_name,
            "asked": file.asked,
            "sha256": file.sha256,
            "payload": json.dumps(payload, ensure_ascii=False),
            "quarantined_at": at,
            "actor": actor,
        }
        return insert_row(connection, quarantine, row)


def read_quarantine(where: Engine | Connection) -> pd.DataFrame:
    """Read the refused files, oldest first, without rows; reasons are joined by semicolons."""
    refused = read_table(where, quarantine, columns=_SHOWN)
    return refused.assign(reasons=["; ".join(json.loads(text)) for text in refused["reasons"]])


def release(
    engine: Engine,
    id: int,  # noqa: A002  # the column's name
    *,
    at: datetime,
    actor: str,
) -> WriteReport:
    """Write a refused file after all and record who decided it, in one transaction.

    What is new of it, and since when, is as if it had been ingested when it was refused.
    """
    with writing(engine) as connection:
        entry = connection.execute(select(quarantine).where(quarantine.c.id == id)).first()
        if entry is None or entry.released_at is not None:
            state = (
                f"was released by {entry.released_by or 'nobody named'}" if entry else "is unknown"
            )
            raise _not_waiting(connection, quarantine.c.released_at, f"File {id} {state}")
        content = json.loads(entry.payload)
        file = FileRows(
            source=entry.source,
            file_name=entry.file_name,
            sha256=entry.sha256,
            tables=tables_from_json(content["tables"]),
            ignored=tuple(content["ignored"]),
            asked=entry.asked,
        )
        revised_at = entry.quarantined_at if content["revises"] else None
        ingest = Ingest(at=at, actor=actor, revised_at=revised_at)
        report = write_within(connection, [(file, checked_tables(file))], ingest)
        change = update(quarantine).where(quarantine.c.id == id)
        connection.execute(change.values(released_at=at, released_by=actor))
    return report


def _not_waiting(connection: Connection, done_at: Column[Any], fault: str) -> DataError:
    """Error for a number of the quarantine, or of the reviews, that waits for no decision."""
    numbers = select(done_at.table.c.id).where(done_at.is_(None)).order_by(done_at.table.c.id)
    waiting = first_few(connection.scalars(numbers).all()) or "none does"
    return DataError(
        f"{fault} in table {done_at.table.name}. Expected one that waits: {waiting}. "
        "See `magnetcast data quarantine list` and `magnetcast data review list`."
    )


Decision = Literal["accepted", "rejected"]


def read_reviews(engine: Engine, *, open_only: bool = True) -> pd.DataFrame:
    """Read the items of the queue, oldest first; ``open_only`` leaves out the decided."""
    wanted = [reviews.c.decided_at.is_(None)] if open_only else []
    return read_table(engine, reviews, wanted=wanted).sort_values("id", ignore_index=True)


def decide(
    engine: Engine,
    id: int,  # noqa: A002  # the column's name
    *,
    decision: Decision,
    at: datetime,
    actor: str,
    note: str = "",
) -> None:
    """Record a decision on an item."""
    with writing(engine) as connection:
        row = connection.execute(select(reviews).where(reviews.c.id == id)).first()
        if row is None or row.decided_at is not None:
            state = f"is {row.decision}" if row else "is unknown"
            raise _not_waiting(connection, reviews.c.decided_at, f"Review item {id} {state}")
        values = {"decided_at": at, "decision": decision, "decided_by": actor, "note": note}
        connection.execute(update(reviews).where(reviews.c.id == id).values(values))
