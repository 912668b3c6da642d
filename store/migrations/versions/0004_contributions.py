"""A forecast carries the parts that add up to its median."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the parts; what was published before has none."""
    op.add_column("forecasts", sa.Column("contributions", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take them away."""
    with op.batch_alter_table("forecasts") as table:
        table.drop_column("contributions")
