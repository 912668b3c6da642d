"""Why a model after the champion made a forecast."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; earlier publications have none."""
    op.add_column("forecasts", sa.Column("reason", sa.Text(), nullable=True))


def downgrade() -> None:
    """Take it away; the reasons go with it."""
    op.drop_column("forecasts", "reason")
