"""Needs, alert rules and overrides say of which commodity they are; goods may have a label."""

import sqlalchemy as sa
from alembic import op

from store.schema.columns import UtcMoment

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MAGNETS = "85051110"
"""Commodity of all that planners wrote before."""

_KEY = ("target", "target_key", "field", "available_at")
_OTHERS = f"commodity <> '{MAGNETS}'"


def upgrade() -> None:
    """Add the commodity to what planners write, and the table of labels."""
    # The default stays: SQLite takes none from a table that others refer to.
    for name in ("needs", "alert_rules"):
        op.add_column(name, _commodity())
    with op.batch_alter_table("overrides") as table:
        table.add_column(_commodity())
        table.drop_constraint("pk_overrides", type_="primary")
        table.create_primary_key("pk_overrides", ["commodity", *_KEY])
    with op.batch_alter_table("overrides") as table:
        table.alter_column("commodity", server_default=None)
    op.create_table(
        "labels",
        sa.Column("commodity", sa.Text(), nullable=False),
        sa.Column("available_at", UtcMoment(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("commodity", "available_at", name="pk_labels"),
    )


def _commodity() -> sa.Column[str]:
    return sa.Column("commodity", sa.Text(), nullable=False, server_default=MAGNETS)


def downgrade() -> None:
    """Take it back; what was written of other commodities goes with it."""
    op.drop_table("labels")
    others = f"SELECT id FROM alert_rules WHERE {_OTHERS}"  # noqa: S608 - our own words
    op.execute(f"DELETE FROM alerts WHERE rule_id IN ({others})")  # noqa: S608 - our own words
    for name in ("alert_rules", "needs", "overrides"):
        op.execute(f"DELETE FROM {name} WHERE {_OTHERS}")  # noqa: S608 - our own words
    with op.batch_alter_table("overrides") as table:
        table.drop_constraint("pk_overrides", type_="primary")
        table.create_primary_key("pk_overrides", list(_KEY))
        table.drop_column("commodity")
    for name in ("alert_rules", "needs"):
        op.drop_column(name, "commodity")
