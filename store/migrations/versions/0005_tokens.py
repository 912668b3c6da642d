"""Tokens of those who may write to the service, or read it from afar."""

import sqlalchemy as sa
from alembic import op

from store.schema.columns import UtcMoment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of tokens."""
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "sha256", "scopes")),
        sa.Column("created_at", UtcMoment(), nullable=False),
        sa.Column("revoked_at", UtcMoment()),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("sha256", name="uq_tokens_sha256"),
    )


def downgrade() -> None:
    """Take it away; the tokens go with it."""
    op.drop_table("tokens")
