"""The audit trail: every write of a planner is stored with a row that says who, when and what.

Both are stored in one transaction; the database refuses to change or delete a row of the trail.
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
from store.schema.planning_tables import audit, tokens

AuditValues = Mapping[str, object] | None
"""The values of a row before or after a write, in types JSON has; None where there is no row."""

LONGEST_NAME: Final = 80
LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes: a token by its digest, or a user of this machine by name."""

    name: str = ""
    digest: str = ""


@dataclass(slots=True)
class AuditTrail:
    """One write transaction with its part of the trail."""

    connection: Connection
    at: datetime
    actor: str
    """Current name of the token or person."""
    token_id: int | None
    noted: int = field(default=0)

    def note(
        self, action: str, thing: str, *, before: AuditValues = None, after: AuditValues = None
    ) -> None:
        """Add a row to the trail, within the transaction.

        Args:
            action: What was done, e.g. ``create``.
            thing: The object of the action, e.g. ``need 3``.
            before: Its values before.
            after: Its values now.
        """
        values = {"before": _text(before), "after": _text(after)}
        row = {"at": self.at, "token_id": self.token_id, "actor": self.actor}
        self.connection.execute(insert(audit).values(**row, action=action, object=thing, **values))
        self.noted += 1


@contextmanager
def audited(engine: Engine, who: Actor, *, at: datetime) -> Iterator[AuditTrail]:
    """Open the write transaction: the block and its audit rows are stored together or not at all.

    Raises:
        TokenError: the token is not active at that moment, or is read-only.
        StoreError: the block wrote nothing to the trail.
    """
    with writing(engine) as connection:
        name, number = _actor(connection, who)
        trail = AuditTrail(connection, at, name, number)
        yield trail
        if not trail.noted:
            raise StoreError(
                f"A write of {name} without an audit row. Expected one for every write. "
                "Call note()."
            )


def _actor(connection: Connection, who: Actor) -> tuple[str, int | None]:
    """Return name and number of the writer; a token is checked within the transaction."""
    if not who.digest:
        return who.name, None
    row = connection.execute(select(tokens).where(tokens.c.sha256 == who.digest)).first()
    if row is None or row.revoked_at is not None or "write" not in row.scopes.split(";"):
        raise TokenError(
            "The token of this request is not active or is read-only. You need a token with write "
            "access. Make one with `magnetcast token create --scope write`."
        )
    return row.name, row.id


def _text(values: AuditValues) -> str:
    return "" if values is None else json.dumps(values, ensure_ascii=False, sort_keys=True)
