"""Publications: what was published as one, with its digest, and what is held back."""

import sqlalchemy as sa
from alembic import op

from store.schema.columns import UtcMoment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; what was published before belongs to none, and no digest is made up."""
    op.create_table(
        "publications",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        *_texts("commodity"),
        sa.Column("as_of", UtcMoment(), nullable=False),
        *_texts("sha256"),
        sa.Column("rows", sa.Integer(), nullable=False),
        *_texts("models", "data_vintage", "state"),
        sa.Column("frozen_at", UtcMoment()),
        sa.Column("published_at", UtcMoment()),
        sa.Column("ahead_from", sa.Date()),
        *_texts("made_with", "held_because", "decided_by", "note", "payload"),
        sa.PrimaryKeyConstraint("id", name="pk_publications"),
        sa.UniqueConstraint("commodity", "as_of", "sha256", name="uq_publications_commodity"),
    )
    op.add_column("forecasts", sa.Column("publication", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Take both away; what is held is lost."""
    op.drop_column("forecasts", "publication")
    op.drop_table("publications")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]
