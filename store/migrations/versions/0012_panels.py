"""The panel behind a publication is stored; publications made before name none yet."""

import sqlalchemy as sa
from alembic import op

from store.schema.columns import UtcMoment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables of panels, and the digest of its panel to each publication."""
    op.create_table(
        "panels",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_panels"),
        sa.UniqueConstraint("sha256", name="uq_panels_sha256"),
    )
    op.create_table(
        "panel_months",
        sa.Column("panel", sa.Integer(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("tonnes", sa.Float(), nullable=False),
        sa.Column("stderr_log", sa.Float(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("available_at", UtcMoment(), nullable=False),
        sa.PrimaryKeyConstraint("panel", "destination", "period", name="pk_panel_months"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "panel_contradictions",
        sa.Column("panel", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("residual_t", sa.Float(), nullable=False),
        sa.Column("z", sa.Float(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("panel", "place", name="pk_panel_contradictions"),
    )
    with op.batch_alter_table("publications") as table:
        table.add_column(sa.Column("panel", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("publications") as table:
        table.alter_column("panel", server_default=None)


def downgrade() -> None:
    """Take them away; panels can be made again from the figures."""
    with op.batch_alter_table("publications") as table:
        table.drop_column("panel")
    for name in ("panel_contradictions", "panel_months", "panels"):
        op.drop_table(name)
