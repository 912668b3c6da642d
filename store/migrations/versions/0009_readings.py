"""What the monitors measured after each publication."""

import sqlalchemy as sa
from alembic import op

from store.schema.columns import UtcMoment

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "readings",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("measured_at", UtcMoment(), nullable=False),
        sa.Column("as_of", UtcMoment(), nullable=False),
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("value", sa.Float()),
        sa.Column("bound", sa.Float()),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("fired", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_readings"),
        sa.UniqueConstraint("measured_at", "monitor", "subject", name="uq_readings_measured_at"),
    )


def downgrade() -> None:
    """Take it away; measuring again fills it anew."""
    op.drop_table("readings")
