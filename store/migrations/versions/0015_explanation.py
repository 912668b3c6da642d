"""Beside a publication is kept what changed since the one before it, and what may come."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, empty: what was published before is explained when it is asked for."""
    with op.batch_alter_table("publications") as table:
        table.add_column(sa.Column("explanation", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("publications") as table:
        table.alter_column("explanation", server_default=None)


def downgrade() -> None:
    """Take it away; it can be computed again."""
    with op.batch_alter_table("publications") as table:
        table.drop_column("explanation")
