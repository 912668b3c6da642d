"""Publications as they stand: listed, held against their digests, held back and decided on.

A held publication's rows are JSON in its own row, so that no reader of forecasts can meet them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import pandas as pd
from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from store.errors import DataError
from store.facts.reading import fetch, published_columns
from store.facts.writing import insert_new
from store.planning.audit import Actor, AuditTrail, audited
from store.publications.digest import HASHED, PublicationContext, content_hash
from store.publications.panels import keep_panel
from store.schema.payload import tables_from_json, tables_to_json
from store.schema.tables import forecasts, publications, told_columns

State = Literal["published", "held", "rejected", "superseded"]

SHOWN: Final = tuple(column.name for column in publications.columns if column.name != "payload")

HELD_ROWS: Final = "forecasts"
"""Name of the table in the payload of a held publication."""


@dataclass(frozen=True, slots=True)
class PublicationHeader:
    """What names a publication."""

    commodity: str
    as_of: datetime
    data_vintage: str
    models: str


def read_publications(engine: Engine, *, commodity: str | None = None) -> pd.DataFrame:
    """Read the publications, oldest first, without the rows that are held; of all if None."""
    with engine.begin() as connection:
        return fetch_publications(connection, commodity=commodity)


def fetch_publications(connection: Connection, *, commodity: str | None = None) -> pd.DataFrame:
    """Read them within a transaction; as ``read_publications``."""
    wanted = [] if commodity is None else [publications.c.commodity == commodity]
    return fetch(connection, publications, wanted=wanted, columns=SHOWN).sort_values(
        "id", ignore_index=True
    )


def keep_published(
    connection: Connection, rows: pd.DataFrame, head: PublicationHeader, frozen: PublicationContext
) -> int:
    """Insert the new rows of a publication, freeze them and return how many there were."""
    number = _add(connection, head, frozen, state="published", published_at=frozen.at)
    new = insert_new(
        connection, forecasts, rows.assign(publication=number), where="the published forecasts"
    )
    if not new:
        connection.execute(delete(publications).where(publications.c.id == number))
        return 0
    digest = content_hash(rows_of(connection, number))
    _set(connection, number, sha256=digest, rows=new, **_panel(connection, frozen))
    supersede(connection, head)
    return new


def keep_held(
    connection: Connection,
    rows: pd.DataFrame,
    head: PublicationHeader,
    frozen: PublicationContext,
    *,
    because: str,
) -> int:
    """Keep a publication apart until a person decides, in the place of one held before."""
    digest = content_hash(rows)
    table = publications.c
    same = (table.commodity == head.commodity, table.as_of == head.as_of, table.sha256 == digest)
    found = connection.scalar(select(table.id).where(*same))
    if found is not None:
        return int(found)
    supersede(connection, head)
    number = _add(connection, head, frozen, state="held", published_at=None)
    payload = tables_to_json({HELD_ROWS: rows})
    told = {"sha256": digest, "rows": len(rows), "payload": payload, "held_because": because}
    _set(connection, number, **told, **_panel(connection, frozen))
    return number


def supersede(connection: Connection, head: PublicationHeader) -> None:
    """Let whatever of the same commodity is held and stands no later give way."""
    table = publications.c
    waiting = (table.commodity == head.commodity, table.state == "held", table.as_of <= head.as_of)
    connection.execute(update(publications).where(*waiting).values(state="superseded"))


def approve(
    engine: Engine, number: int, *, at: datetime, ahead_from: object, actor: str, reason: str
) -> int:
    """Publish exactly what was held, note who decided so and why, and return how many rows.

    Args:
        engine: An opened store.
        number: The publication.
        at: The moment, aware; the publication counts from it.
        ahead_from: First month whose release was still to come at that moment.
        actor: Who decides.
        reason: Why.

    Raises:
        DataError: It is not held, its rows are not those that were frozen, or other numbers stand
            published under their keys; then nothing is published.
    """
    with audited(engine, Actor(actor), at=at) as journal:
        connection = journal.connection
        entry = _held(connection, number)
        rows = tables_from_json(entry.payload)[HELD_ROWS]
        if (found := content_hash(rows)) != entry.sha256:
            raise DataError(
                f"The rows of held publication {number} have SHA-256 {found[:12]}. Expected "
                f"{entry.sha256[:12]}, as they were frozen; somebody changed them, and nothing was "
                f"published. Reject it with `magnetcast publications reject {number}` and run anew."
            )
        new = insert_new(
            connection, forecasts, rows.assign(publication=number), where="what is held"
        )
        decided = {"decided_by": journal.actor, "note": reason, "payload": ""}
        _set(
            connection, number, state="published", published_at=at, ahead_from=ahead_from, **decided
        )
        _tell(journal, "approve", entry, reason)
        return new


def reject(engine: Engine, number: int, *, at: datetime, actor: str, reason: str) -> None:
    """Let a held publication never be published; its rows stay, with who decided so and why.

    Raises:
        DataError: It is not held.
    """
    with audited(engine, Actor(actor), at=at) as journal:
        entry = _held(journal.connection, number)
        told = {"state": "rejected", "decided_by": journal.actor, "note": reason}
        _set(journal.connection, number, **told)
        _tell(journal, "reject", entry, reason)


def held_forecasts(engine: Engine, number: int) -> pd.DataFrame:
    """Return what was held back, columns as ``store.facts.reading.read_forecasts``.

    Raises:
        DataError: There is none of that number, or it was published at once.
    """
    with engine.begin() as connection:
        entry = _entry(connection, number)
    if not entry.payload:
        raise DataError(
            f"Publication {number} was not held back. Expected one that was. "
            "Its rows are among the published; see `magnetcast publications list`."
        )
    rows = tables_from_json(entry.payload)[HELD_ROWS].reindex(
        columns=[column.name for column in told_columns(forecasts)]
    )
    return published_columns(rows)


def waiting(engine: Engine) -> tuple[str, ...]:
    """Say which publications wait for a person and why, each in a clause."""
    known = read_publications(engine)
    return tuple(
        f"publication {one.id} as of {one.as_of:%Y-%m-%d} ({one.commodity}) is held: "
        f"{one.held_because}"
        for one in known.loc[known["state"] == "held"].itertuples(index=False)
    )


def rows_of(connection: Connection, number: int) -> pd.DataFrame:
    """Return the rows that a publication brought, columns ``HASHED``."""
    wanted = [forecasts.c.publication == number]
    return fetch(connection, forecasts, wanted=wanted, columns=list(HASHED))


def _add(
    connection: Connection,
    head: PublicationHeader,
    frozen: PublicationContext,
    *,
    state: State,
    published_at: datetime | None,
) -> int:
    row = {
        "commodity": head.commodity,
        "as_of": head.as_of,
        "data_vintage": head.data_vintage,
        "models": head.models,
        "sha256": "",
        "rows": 0,
        "state": state,
        "frozen_at": frozen.at,
        "published_at": published_at,
        "ahead_from": frozen.ahead_from,
        "made_with": frozen.made_with,
        **dict.fromkeys(("held_because", "decided_by", "note", "panel", "payload"), ""),
    }
    made = connection.execute(insert(publications).values(row).returning(publications.c.id))
    return int(made.scalar_one())


def _panel(connection: Connection, frozen: PublicationContext) -> dict[str, str]:
    """Return what names the panel behind a publication, which is kept; nothing without one."""
    return {} if frozen.panel is None else {"panel": keep_panel(connection, frozen.panel)}


def _set(connection: Connection, number: int, **values: object) -> None:
    connection.execute(update(publications).where(publications.c.id == number).values(values))


def _entry(connection: Connection, number: int) -> "Row[tuple[object, ...]]":
    entry = connection.execute(select(publications).where(publications.c.id == number)).first()
    if entry is None:
        raise DataError(
            f"No publication {number}. Expected one of `magnetcast publications list`. Take one."
        )
    return entry


def _held(connection: Connection, number: int) -> "Row[tuple[object, ...]]":
    entry = _entry(connection, number)
    if entry.state != "held":
        raise DataError(
            f"Publication {number} is {entry.state}. Expected one that is held. "
            "See `magnetcast publications list`."
        )
    return entry


def _tell(journal: AuditTrail, action: str, entry: "Row[tuple[object, ...]]", reason: str) -> None:
    """Write a decision to the audit trail."""
    before = {
        "state": entry.state,
        "sha256": entry.sha256,
        "as_of": f"{entry.as_of:%Y-%m-%dT%H:%M:%SZ}",
    }
    journal.note(
        action,
        f"publication {entry.id}",
        before=before,
        after={"state": "published" if action == "approve" else "rejected", "reason": reason},
    )
