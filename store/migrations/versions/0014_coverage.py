"""Coverage of bands stands in the scores, by horizon and with its number of months."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the share away that stood beside every forecast without its horizons or its number."""
    op.drop_column("forecasts", "band_hit_rate")


def downgrade() -> None:
    """Bring the column back, empty."""
    op.add_column("forecasts", sa.Column("band_hit_rate", sa.Float(), nullable=True))
