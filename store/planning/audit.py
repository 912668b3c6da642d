"""The audit trail: every write of a planner beside a row that says who, when and what.

Both are kept, or neither; the database refuses to change or remove a row of the trail.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, insert, select

from store.database import writing
from store.errors import StoreError, TokenError
from store.schema.planning_tables import audit
from store.schema.tables import tokens

Told = Mapping[str, object] | None
"""What a row says, as JSON can carry it; None where there is none."""

LONGEST_NAME: Final = 80
LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes: a token by its digest, or somebody at this machine by name."""

    name: str = ""
    digest: str = ""


@dataclass(slots=True)
class AuditTrail:
    """One write transaction with its part of the trail."""

    connection: Connection
    at: datetime
    actor: str
    """Name of the token or person, as it is now."""
    token_id: int | None
    noted: int = field(default=0)

    def note(self, action: str, thing: str, *, before: Told = None, after: Told = None) -> None:
        """Add a row to the trail, within the transaction.

        Args:
            action: What was done, e.g. ``create``.
            thing: What it was done to, e.g. ``need 3``.
            before: What it said before.
            after: What it says now.
        """
        told = {"before": _text(before), "after": _text(after)}
        row = {"at": self.at, "token_id": self.token_id, "actor": self.actor}
        self.connection.execute(insert(audit).values(**row, action=action, object=thing, **told))
        self.noted += 1


@contextmanager
def audited(engine: Engine, who: Actor, *, at: datetime) -> Iterator[AuditTrail]:
    """Hold the one write transaction: all of the block with its audit rows is kept, or none.

    Raises:
        TokenError: the writer's token is not in force at that moment, or may only read.
        StoreError: the block wrote nothing to the trail.
    """
    with writing(engine) as connection:
        name, number = _actor(connection, who)
        journal = AuditTrail(connection, at, name, number)
        yield journal
        if not journal.noted:
            raise StoreError(
                f"A write of {name} without an audit row. Expected a note of it. Call note()."
            )


def _actor(connection: Connection, who: Actor) -> tuple[str, int | None]:
    """Return name and number of the writer; of a token as it stands within the transaction."""
    if not who.digest:
        return who.name, None
    row = connection.execute(select(tokens).where(tokens.c.sha256 == who.digest)).first()
    if row is None or row.revoked_at is not None or "write" not in row.scopes.split(";"):
        raise TokenError(
            "The token that came with the request is not in force or may only read. Expected one "
            "that may write. Make one with `magnetcast token create --scope write`."
        )
    return row.name, row.id


def _text(told: Told) -> str:
    return "" if told is None else json.dumps(told, ensure_ascii=False, sort_keys=True)
