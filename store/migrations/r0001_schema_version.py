"""Number the schema in schema_version instead of marking its digest in schema_mark."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Drop the old mark; the table of the new one is there before the first revision."""
    op.drop_table("schema_mark")
