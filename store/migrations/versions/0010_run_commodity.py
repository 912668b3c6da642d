"""Runs say of which commodity they are; of those on tables before, nothing tells."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MAGNETS = "85051110"
"""Commodity of all runs before but those on partner tables."""


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("runs") as table:
        table.add_column(sa.Column("commodity", sa.Text(), nullable=False, server_default=MAGNETS))
    op.execute("UPDATE runs SET commodity = '' WHERE flow = 'run-table'")
    with op.batch_alter_table("runs") as table:
        table.alter_column("commodity", server_default=None)


def downgrade() -> None:
    """Take it away."""
    with op.batch_alter_table("runs") as table:
        table.drop_column("commodity")
