"""Tokens expire: those there were a year after they were made."""

from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from store.schema.columns import UtcMoment

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

YEAR = timedelta(days=365)


def upgrade() -> None:
    """Add the moment and fill it."""
    op.add_column("tokens", sa.Column("expires_at", UtcMoment(), nullable=True))
    moments = [sa.column(name, UtcMoment()) for name in ("created_at", "expires_at")]
    tokens = sa.table("tokens", sa.column("id"), *moments)
    connection = op.get_bind()
    for number, created_at in connection.execute(sa.select(tokens.c.id, tokens.c.created_at)).all():
        expiry = sa.update(tokens).where(tokens.c.id == number)
        connection.execute(expiry.values(expires_at=created_at + YEAR))


def downgrade() -> None:
    """Take the moment away: tokens are valid until they are revoked."""
    op.drop_column("tokens", "expires_at")
