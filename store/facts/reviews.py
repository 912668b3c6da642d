"""The review queue: what watchers found, until a person accepts or rejects it."""

from datetime import datetime
from typing import Final, Literal

import pandas as pd
from sqlalchemy import Connection, Engine, select, update

from store.database import writing
from store.errors import DataError, first_few
from store.facts.bulk import insert_rows, stored_like
from store.facts.reading import read_table
from store.schema.frame_schemas import validate
from store.schema.frames import as_table
from store.schema.ingest_tables import reviews
from store.schema.tables import natural_key

PROPOSALS: Final = "proposals"
"""Name under which a source hands items for review to the store."""

Decision = Literal["accepted", "rejected"]


def propose(engine: Engine, items: pd.DataFrame, *, at: datetime) -> int:
    """Add items to the queue and return how many are new; known ones are left as they are.

    Args:
        engine: an opened store.
        items: source, item_key (unique within the source), title, url, published_on (may be
            missing) and payload (JSON text); not modified.
        at: the moment, aware.

    Raises:
        DataError: a row breaks the contract, or an item comes twice.
    """
    checked = validate(items, PROPOSALS, where="the items proposed for review")
    with writing(engine) as connection:
        return add_proposals(connection, checked, at=at)


def add_proposals(connection: Connection, items: pd.DataFrame, *, at: datetime | None) -> int:
    """As ``propose``, with checked items, within a transaction of the caller."""
    if at is None:
        raise DataError(
            f"{len(items)} items for review come without a moment. Expected the moment of the "
            "ingest. Pass ingested_at."
        )
    key = list(natural_key(reviews))
    known = stored_like(connection, reviews, items[key], wanted=key)
    found = items[key].merge(known, how="left", indicator=True)["_merge"].to_numpy() == "both"
    new = items[~found].assign(proposed_at=pd.Timestamp(at), decision="", decided_by="", note="")
    if len(new):
        insert_rows(connection, reviews, as_table(new, reviews))
    return len(new)


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
    """Record a decision on an item.

    Raises:
        DataError: there is no such item, or it is decided.
    """
    with writing(engine) as connection:
        row = connection.execute(select(reviews).where(reviews.c.id == id)).first()
        if row is None or row.decided_at is not None:
            raise DataError(_not_open(connection, id, row.decision if row else None))
        values = {"decided_at": at, "decision": decision, "decided_by": actor, "note": note}
        connection.execute(update(reviews).where(reviews.c.id == id).values(values))


def _not_open(connection: Connection, number: int, decision: str | None) -> str:
    """Explain why an item cannot be decided."""
    waiting = connection.scalars(
        select(reviews.c.id).where(reviews.c.decided_at.is_(None)).order_by(reviews.c.id)
    ).all()
    what = f"Review item {number} is {decision}" if decision else f"No review item {number}"
    expected = f"one of {first_few(waiting)}" if waiting else "an open item, and there is none"
    return f"{what} in table reviews. Expected {expected}. See `magnetcast review list`."
