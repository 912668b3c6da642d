"""Publications: listed, verified against their digests, held for approval and decided on.

The rows of a held publication are JSON in its own row, so that readers of forecasts never see them.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import pandas as pd
from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from store.errors import DataError
from store.facts.new_rows import IncomingRows, drop_duplicate_rows, repeats
from store.facts.reading import fetch, published_columns
from store.facts.writing import insert_new
from store.messages import Message, from_json, message
from store.planning.audit import Actor, AuditTrail, audited
from store.publications.integrity import (
    FORECAST_KEY,
    HELD_ROWS,
    PublicationContext,
    content_hash,
    read_publications,
    rows_of,
)
from store.publications.panels import save_panel
from store.schema.frames import tables_from_json, tables_to_json
from store.schema.tables import forecasts, publications, source_columns

State = Literal["published", "held", "rejected", "superseded"]


@dataclass(frozen=True, slots=True)
class PublicationHeader:
    """What identifies a publication."""

    commodity: str
    as_of: datetime
    data_vintage: str
    models: str


def insert_published(
    connection: Connection,
    rows: pd.DataFrame,
    header: PublicationHeader,
    context: PublicationContext,
) -> int:
    """Insert a publication with its digest and return how many rows it has.

    A moment may have several; one that only repeats the newest of them is none.
    """
    where = "the published forecasts"
    incoming = drop_duplicate_rows(IncomingRows(forecasts, rows.assign(publication=0), where)).rows
    if repeated(connection, incoming, header) is not None:
        return 0
    number = _add(connection, header, context, state="published", published_at=context.at)
    new = insert_new(connection, forecasts, incoming.assign(publication=number), where=where)
    digest = content_hash(rows_of(connection, number))
    _set(connection, number, sha256=digest, rows=new, **_panel(connection, context))
    supersede(connection, header)
    return new


def repeated(connection: Connection, rows: pd.DataFrame, header: PublicationHeader) -> int | None:
    """Return the newest publication of a moment if rows say the same of the same facts."""
    own = (forecasts.c.commodity == header.commodity, forecasts.c.as_of == header.as_of)
    newest = connection.scalar(select(func.max(forecasts.c.publication)).where(*own))
    stored = fetch(connection, forecasts, wanted=[*own, forecasts.c.publication == newest])
    if set(stored["data_vintage"]) != {header.data_vintage}:
        return None
    incoming = IncomingRows(forecasts, rows, "the published forecasts")
    return newest if repeats(incoming, stored, on=FORECAST_KEY) else None


def insert_held(
    connection: Connection,
    rows: pd.DataFrame,
    header: PublicationHeader,
    context: PublicationContext,
    *,
    because: str,
) -> int:
    """Hold a publication until a person decides; it replaces one held before."""
    digest = content_hash(rows)
    table = publications.c
    own = (table.commodity == header.commodity, table.as_of == header.as_of)
    newest = select(table.id, table.sha256).where(*own).order_by(table.id.desc()).limit(1)
    found = connection.execute(newest).first()
    if found is not None and found.sha256 == digest:
        return int(found.id)
    supersede(connection, header)
    number = _add(connection, header, context, state="held", published_at=None)
    payload = tables_to_json({HELD_ROWS: rows})
    values = {"sha256": digest, "rows": len(rows), "payload": payload, "held_because": because}
    _set(connection, number, **values, **_panel(connection, context))
    return number


def supersede(connection: Connection, header: PublicationHeader) -> None:
    """Mark held publications of the same commodity that are no later as superseded."""
    table = publications.c
    waiting = (
        table.commodity == header.commodity,
        table.state == "held",
        table.as_of <= header.as_of,
    )
    connection.execute(update(publications).where(*waiting).values(state="superseded"))


def approve(
    engine: Engine, number: int, *, at: datetime, ahead_from: object, actor: str, reason: str
) -> int:
    """Publish exactly what was held, record who decided and why, and return the number of rows.

    Args:
        ahead_from: First month not yet released at that moment.
    """
    with audited(engine, Actor(actor), at=at) as trail:
        connection = trail.connection
        entry = _held(connection, number)
        rows = tables_from_json(entry.payload)[HELD_ROWS]
        if (found := content_hash(rows)) != entry.sha256:
            raise DataError(
                f"The rows of held publication {number} have SHA-256 {found[:12]}. Expected "
                f"{entry.sha256[:12]}, as recorded; the rows were changed since, and nothing was "
                f"published. Reject it with `magnetcast publications reject {number}` and run "
                "again."
            )
        new = insert_new(
            connection, forecasts, rows.assign(publication=number), where="what is held"
        )
        decided = {"decided_by": trail.actor, "note": reason, "payload": ""}
        _set(
            connection, number, state="published", published_at=at, ahead_from=ahead_from, **decided
        )
        _record_decision(trail, "approve", entry, reason)
        return new


def reject(engine: Engine, number: int, *, at: datetime, actor: str, reason: str) -> None:
    """Reject a held publication for good; its rows stay, with who decided and why."""
    with audited(engine, Actor(actor), at=at) as trail:
        entry = _held(trail.connection, number)
        values = {"state": "rejected", "decided_by": trail.actor, "note": reason}
        _set(trail.connection, number, **values)
        _record_decision(trail, "reject", entry, reason)


def held_forecasts(engine: Engine, number: int) -> pd.DataFrame:
    """Return the rows of a held publication, columns as ``store.facts.reading.read_forecasts``."""
    with engine.begin() as connection:
        entry = _entry(connection, number)
    if not entry.payload:
        raise DataError(
            f"Publication {number} was not held back. Expected one that was. "
            "Its rows are among the published; see `magnetcast publications list`."
        )
    rows = tables_from_json(entry.payload)[HELD_ROWS].reindex(
        columns=[column.name for column in source_columns(forecasts)]
    )
    return published_columns(rows.assign(publication=number))


def held_publications(engine: Engine) -> tuple[Message, ...]:
    """Describe the publications that wait for approval."""
    known = read_publications(engine)
    return tuple(
        message(
            "Publication %(number)s as of %(day)s (%(goods)s) is held: %(reason)s.",
            number=str(one.id),
            day=f"{one.as_of:%Y-%m-%d}",
            goods=str(one.commodity),
            reason=from_json(str(one.held_because)),
        )
        for one in known.loc[known["state"] == "held"].itertuples(index=False)
    )


_EMPTY: Final = ("held_because", "decided_by", "note", "panel", "payload", "explanation")
"""Columns of a publication that are filled in later, if ever."""


def _add(
    connection: Connection,
    header: PublicationHeader,
    context: PublicationContext,
    *,
    state: State,
    published_at: datetime | None,
) -> int:
    row = {
        "commodity": header.commodity,
        "as_of": header.as_of,
        "data_vintage": header.data_vintage,
        "models": header.models,
        "sha256": "",
        "rows": 0,
        "state": state,
        "frozen_at": context.at,
        "published_at": published_at,
        "ahead_from": context.ahead_from,
        "made_with": context.made_with,
        **dict.fromkeys(_EMPTY, ""),
    }
    made = connection.execute(insert(publications).values(row).returning(publications.c.id))
    return int(made.scalar_one())


def _panel(connection: Connection, context: PublicationContext) -> dict[str, str]:
    """Return what names the panel behind a publication, which is kept; nothing without one."""
    return {} if context.panel is None else {"panel": save_panel(connection, context.panel)}


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


def _record_decision(
    trail: AuditTrail, action: str, entry: "Row[tuple[object, ...]]", reason: str
) -> None:
    before = {
        "state": entry.state,
        "sha256": entry.sha256,
        "as_of": f"{entry.as_of:%Y-%m-%dT%H:%M:%SZ}",
    }
    trail.note(
        action,
        f"publication {entry.id}",
        before=before,
        after={"state": "published" if action == "approve" else "rejected", "reason": reason},
    )
