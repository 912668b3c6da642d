"""Number schemas: ``schema_version`` in the place of the digest in ``schema_mark``."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Drop the old mark; Alembic has made the new one."""
    op.drop_table("schema_mark")
