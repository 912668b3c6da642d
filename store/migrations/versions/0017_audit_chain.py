"""Rows of the audit trail are chained by digests, and none may take the number of another."""

import sqlalchemy as sa
from alembic import op

from store.planning.audit_chain import link
from store.schema.columns import UtcMoment

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TRAIL = sa.table(
    "audit",
    *(sa.column(name) for name in ("id", "token_id", "actor", "action", "object", "before")),
    *(sa.column("after"), sa.column("sha256"), sa.column("at", UtcMoment)),
)


def upgrade() -> None:
    """Add the digests, chain the rows so far and refuse numbers that are taken."""
    op.add_column("audit", sa.Column("sha256", sa.Text(), nullable=False, server_default=""))
    _guard(on=False)
    connection, digest = op.get_bind(), ""
    for row in connection.execute(sa.select(_TRAIL).order_by(_TRAIL.c.id)).all():
        digest = link(digest, row._asdict())  # public, despite its name
        connection.execute(_TRAIL.update().where(_TRAIL.c.id == row.id).values(sha256=digest))
    _guard(on=True)
    if connection.dialect.name == "sqlite":
        # REPLACE deletes without asking the trigger of DELETE.
        op.execute(
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
            "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) "
            "BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END"
        )


def downgrade() -> None:
    """Take the digests away."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_no_replace")
    op.drop_column("audit", "sha256")


def _guard(*, on: bool) -> None:
    """Switch off and on what refuses changes of rows, within this migration."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE audit {'ENABLE' if on else 'DISABLE'} TRIGGER audit_only_grows")
    elif on:
        op.execute(
            "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END"
        )
    else:
        op.execute("DROP TRIGGER audit_no_update")
