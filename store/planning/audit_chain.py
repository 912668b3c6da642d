"""The audit trail as a chain: each row's digest covers the row before it.

Whoever changes a row must change all later digests, and the head of the chain that backups and
reports outside the database hold.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection, Engine, Row, select

from store.errors import DataError
from store.schema.planning_tables import audit

_COVERED: Final = ("token_id", "actor", "action", "object", "before", "after")


class ChainHead(NamedTuple):
    """The newest row of the trail; written ``NUMBER:SHA256``, ``0:`` for an empty trail."""

    number: int
    sha256: str

    def __str__(self) -> str:
        """Write it as :meth:`read` reads it."""
        return f"{self.number}:{self.sha256}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a head from text.

        Raises:
            DataError: it is none.
        """
        number, colon, digest = text.strip().partition(":")
        if not (number.isascii() and number.isdigit() and colon and len(digest) in {0, 64}):
            raise DataError(
                f"{text.strip()[:80]!r} is no head of the audit trail. Expected NUMBER:SHA256 "
                "of `magnetcast audit verify`, a backup's manifest or a report's audit_head.txt."
            )
        return cls(int(number), digest)


def link(previous: str, row: Mapping[str, Any]) -> str:
    """Return the digest of a row after the digest of the row before it."""
    moment = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    content = json.dumps([previous, moment, *(row[name] for name in _COVERED)])
    return hashlib.sha256(content.encode()).hexdigest()


def newest(connection: Connection) -> ChainHead:
    """Return the head of the chain within a transaction."""
    row = connection.execute(
        select(audit.c.id, audit.c.sha256).order_by(audit.c.id.desc()).limit(1)
    ).first()
    return ChainHead(0, "") if row is None else ChainHead(row.id, row.sha256)


def chain_head(engine: Engine) -> ChainHead:
    """Return the head of the chain."""
    with engine.begin() as connection:
        return newest(connection)


def chain_damage(engine: Engine, head: ChainHead | None = None) -> str:
    """Return what is wrong with the audit trail; empty if nothing.

    Args:
        engine: An opened store.
        head: Of a backup or report: the trail must still hold it.
    """
    with engine.begin() as connection:
        rows = connection.execute(select(audit).order_by(audit.c.id)).all()
    digest = ""
    for row in rows:
        digest = link(digest, row._asdict())  # public, despite its name
        if digest != row.sha256:
            return f"entry {row.id} of the audit trail, or one before it, was changed or removed"
    return "" if head is None or _holds(rows, head) else (
        f"the audit trail does not hold entry {head.number} with SHA-256 {head.sha256[:12]}: "
        "it was rewritten or cut since that was noted"
    )  # fmt: skip


def _holds(rows: "Sequence[Row[Any]]", head: ChainHead) -> bool:
    return not head.number or any((row.id, row.sha256) == tuple(head) for row in rows)
