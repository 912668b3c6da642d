"""No forecast read the exchange rates and risk indices: their table goes."""

import sqlalchemy as sa
from alembic import op

from store.schema.columns import UtcMoment

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the table."""
    op.drop_table("covariates")


def downgrade() -> None:
    """Create it, empty."""
    texts = ("name", "unit", "source", "source_url")
    key = ("name", "period", "source", "available_at")
    op.create_table(
        "covariates",
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("available_at", UtcMoment(), nullable=False),
        sa.Column("vintage", sa.Integer()),
        sa.PrimaryKeyConstraint(*key, name="pk_covariates"),
    )
