"""Who may write and who wrote: access tokens, and the audit trail.

Every write of a planner is stored with an audit row in one transaction; the database refuses to
change or delete a row of the trail. Of tokens only the digests are stored.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Engine, insert, select, update

from store.database import insert_row, writing
from store.errors import DataError, StoreError, TokenError, first_few
from store.facts.new_rows import check_clock
from store.facts.reading import read_table
from store.messages import message
from store.schema.database_tables import audit, tokens

AuditValues = Mapping[str, object] | None
"""The values of a row before or after a write, in types JSON has; None where there is no row."""

LONGEST_NAME: Final = 80
LONGEST_REASON: Final = 500

THINGS: Final = {
    "need": message("need"),
    "rule": message("rule"),
    "forecast": message("forecast"),
    "source": message("source"),
    "alert-rule": message("alert rule"),
}
"""What planners write, as a word of a message."""


def checked_name(text: str, thing: str, *, longest: int = LONGEST_NAME) -> str:
    """A one-line text without surrounding blanks."""
    name = text.strip()
    if not name or len(name) > longest or not name.isprintable():
        raise DataError(
            message(
                "%(text)s as the name of a %(what)s. Expected 1 to %(most)s printable characters "
                "on one line. Correct it.",
                text=repr(name[:100]),
                what=THINGS.get(thing, thing),
                most=longest,
            )
        )
    return name


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
        """Add a row to the trail, within the transaction."""
        row = {
            "at": self.at,
            "token_id": self.token_id,
            "actor": self.actor,
            "action": action,
            "object": thing,
            "before": _text(before),
            "after": _text(after),
        }
        self.connection.execute(insert(audit).values(row))
        self.noted += 1


@contextmanager
def audited(engine: Engine, actor: Actor, *, at: datetime) -> Iterator[AuditTrail]:
    """Open the write transaction: the block and its audit rows are stored together or not at all.

    Raises:
        DataError: the clock was set back.
        TokenError: the token is not active at that moment, or is read-only.
        StoreError: the block wrote nothing to the trail.
    """
    with writing(engine) as connection:
        check_clock(connection, audit.c.at, at)
        name, number = _actor(connection, actor, at)
        trail = AuditTrail(connection, at, name, number)
        yield trail
        if not trail.noted:
            raise StoreError(
                f"A write of {name} without an audit row. Expected one for every write. "
                "Call note()."
            )


def _actor(connection: Connection, actor: Actor, at: datetime) -> tuple[str, int | None]:
    """Name and number of the writer; a token is checked within the transaction."""
    if not actor.digest:
        return actor.name, None
    is_token = (tokens.c.sha256 == actor.digest) & _in_force(at)
    row = connection.execute(select(tokens).where(is_token)).first()
    if row is None or "write" not in row.scopes.split(";"):
        raise TokenError(
            "The token of this request is not active or is read-only. You need a token with write "
            "access. Make one with `magnetcast token create --scope write`."
        )
    return row.name, row.id


def _in_force(at: datetime) -> ColumnElement[bool]:
    return tokens.c.revoked_at.is_(None) & (tokens.c.expires_at > at)


def _text(values: AuditValues) -> str:
    return "" if values is None else json.dumps(values, ensure_ascii=False, sort_keys=True)


Scope = Literal["read", "write"]
"""``write`` includes ``read``."""

PREFIX: Final = "mc_"
"""Every token starts with it, so that one in a log or a commit is recognised."""

RANDOM_BYTES: Final = 32
"""Enough that a plain digest cannot be reversed by search; no slow hash is needed."""

DAYS: Final = 365
"""Days that a token is valid for unless other days are given."""

_MOST_DAYS: Final = 3650

_SHOWN: Final = ("id", "name", "scopes", "created_at", "expires_at", "revoked_at")


def create_token(
    engine: Engine,
    *,
    name: str,
    scopes: Sequence[Scope],
    at: datetime,
    actor: str = "",
    days: int = DAYS,
) -> str:
    """Make a token and return it; it is shown once and cannot be recovered."""
    name = checked_name(name, "token")
    if not 1 <= days <= _MOST_DAYS:
        raise DataError(f"A token for {days} days. Expected 1 to {_MOST_DAYS}. Correct --days.")
    expires_at = at + timedelta(days=days)
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    row = {"name": name, "sha256": digest_of(token), "scopes": ";".join(sorted(set(scopes)))}
    with audited(engine, Actor(actor), at=at) as trail:
        moments = {"created_at": at, "expires_at": expires_at}
        number = insert_row(trail.connection, tokens, {**row, **moments})
        after = {"name": name, "scopes": row["scopes"], "expires_at": f"{expires_at:%Y-%m-%d}"}
        trail.note("create", f"token {number}", after=after)
    return token


def revoke_token(engine: Engine, number: int, *, at: datetime, actor: str = "") -> None:
    """Revoke a token permanently; ``actor`` is recorded in the audit trail."""
    live = (tokens.c.id == number) & tokens.c.revoked_at.is_(None)
    with audited(engine, Actor(actor), at=at) as trail:
        connection = trail.connection
        if not connection.execute(update(tokens).where(live).values(revoked_at=at)).rowcount:
            numbers = connection.scalars(
                select(tokens.c.id).where(tokens.c.revoked_at.is_(None))
            ).all()
            raise DataError(
                f"No token {number} to revoke in table tokens. Expected one of those in force: "
                f"{first_few(numbers) or 'there is none'}. See `magnetcast token list`."
            )
        trail.note("revoke", f"token {number}")


def read_tokens(engine: Engine) -> pd.DataFrame:
    """Read all tokens ever issued, without their digests, oldest first."""
    return read_table(engine, tokens, columns=_SHOWN).sort_values("id", ignore_index=True)


def scopes_in_force(engine: Engine, at: datetime) -> Mapping[str, frozenset[str]]:
    """The scopes of each token in force at a moment by its digest."""
    query = select(tokens.c.sha256, tokens.c.scopes).where(_in_force(at))
    with engine.begin() as connection:
        return {row.sha256: frozenset(row.scopes.split(";")) for row in connection.execute(query)}


def digest_of(token: str) -> str:
    """The digest a token is stored by."""
    return hashlib.sha256(token.encode()).hexdigest()
