"""Drop the table of forecasts by others, which are not scored any more."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The copy made before keeps the rows."""
    op.drop_table("rival_forecasts")
