"""What was asked for is kept beside what came; earlier ingests have their file's name alone."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLES = ("vintages", "quarantine")


def upgrade() -> None:
    """Add the column, empty."""
    for table in TABLES:
        op.add_column(table, sa.Column("asked", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Take the column away."""
    for table in TABLES:
        op.drop_column(table, "asked")
