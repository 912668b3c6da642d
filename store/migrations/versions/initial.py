"""The schema as the tables declare it; the revision after this one freezes it."""

from alembic import op

from store.schema.tables import metadata

revision = "initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    metadata.create_all(op.get_bind())
