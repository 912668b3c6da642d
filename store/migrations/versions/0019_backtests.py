"""Beside the scores of a backtest are kept the forecasts behind them, which pages draw."""

import sqlalchemy as sa
from alembic import op

from store.schema.columns import UtcMoment

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, empty: of earlier backtests only the scores are known."""
    op.create_table(
        "backtests",
        sa.Column("commodity", sa.Text(), nullable=False),
        sa.Column("as_of", UtcMoment(), nullable=False),
        sa.Column("backtest", sa.Integer(), nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("commodity", "as_of", "backtest", name="pk_backtests"),
    )


def downgrade() -> None:
    """Drop it; the scores stay."""
    op.drop_table("backtests")
