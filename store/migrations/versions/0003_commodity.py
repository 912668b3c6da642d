"""Forecasts and scores say of which commodity they are; those there are of the magnets."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MAGNETS = "85051110"
"""Commodity of all that was published before."""

_FORECAST = ("as_of", "destination", "period", "model_version")
_SCORE = ("as_of", "model", "scope", "horizon_from", "horizon_to", "metric")


def upgrade() -> None:
    """Add the commodity to both natural keys."""
    with op.batch_alter_table("forecasts") as table:
        table.add_column(_commodity())
        table.drop_constraint("uq_forecasts_as_of", type_="unique")
        table.create_unique_constraint("uq_forecasts_commodity", ["commodity", *_FORECAST])
    with op.batch_alter_table("scores") as table:
        table.add_column(_commodity())
        table.drop_constraint("pk_scores", type_="primary")
        table.create_primary_key("pk_scores", ["commodity", *_SCORE])
    for name in ("forecasts", "scores"):
        with op.batch_alter_table(name) as table:
            table.alter_column("commodity", server_default=None)


def _commodity() -> sa.Column[str]:
    return sa.Column("commodity", sa.Text(), nullable=False, server_default=MAGNETS)


def downgrade() -> None:
    """Take it back; what is of other commodities goes with it."""
    for name in ("forecasts", "scores"):
        op.execute(f"DELETE FROM {name} WHERE commodity <> '{MAGNETS}'")  # noqa: S608 - our own words
    with op.batch_alter_table("scores") as table:
        table.drop_constraint("pk_scores", type_="primary")
        table.create_primary_key("pk_scores", list(_SCORE))
        table.drop_column("commodity")
    with op.batch_alter_table("forecasts") as table:
        table.drop_constraint("uq_forecasts_commodity", type_="unique")
        table.create_unique_constraint("uq_forecasts_as_of", list(_FORECAST))
        table.drop_column("commodity")
