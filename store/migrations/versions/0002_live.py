"""Live sources: who brought what and when, covariates, quarantine and the review desk.

On SQLite the observations become a table ordered by its key (WITHOUT ROWID), so that the rows of
one commodity lie side by side.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from store.schema.columns import UtcMoment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = (
    "commodity",
    "origin",
    "destination",
    "measure",
    "period_from",
    "period_to",
    "kind",
    "available_at",
    "source",
    "source_url",
)


def upgrade() -> None:
    """Add what live sources need."""
    _upgrade_vintages()
    _upgrade_observations()
    _create_covariates()
    _create_quarantine()
    _create_reviews()


def downgrade() -> None:
    """Take it back; of bytes ingested several times the first ingest stays."""
    for name in ("reviews", "quarantine", "covariates"):
        op.drop_table(name)
    _downgrade_observations()
    op.execute(
        "DELETE FROM vintages WHERE id NOT IN "
        "(SELECT MIN(id) FROM vintages GROUP BY source, file_name, sha256)"
    )
    op.drop_index("ix_vintages_source", table_name="vintages")
    with op.batch_alter_table("vintages") as table:
        table.create_unique_constraint("uq_vintages_source", ["source", "file_name", "sha256"])
        table.drop_column("actor")
        table.drop_column("period_to")
        table.drop_column("period_from")


def _on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _upgrade_vintages() -> None:
    """Note range and actor; let bytes come again, for a provider may go back to an old answer."""
    with op.batch_alter_table("vintages") as table:
        table.drop_constraint("uq_vintages_source", type_="unique")
        table.add_column(sa.Column("period_from", sa.Date(), nullable=True))
        table.add_column(sa.Column("period_to", sa.Date(), nullable=True))
        table.add_column(sa.Column("actor", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_vintages_source", "vintages", ["source", "file_name"])


def _upgrade_observations() -> None:
    """Note which ingest brought a row and index for reading by source."""
    if _on_sqlite():
        vintage = sa.Column("vintage", sa.Integer(), nullable=True)
        _rebuild_observations(vintage, with_rowid=False)
    else:
        op.add_column("observations", sa.Column("vintage", sa.Integer(), nullable=True))
    op.create_index("ix_observations_source", "observations", ["source"])


def _downgrade_observations() -> None:
    op.drop_index("ix_observations_source", table_name="observations")
    if _on_sqlite():
        _rebuild_observations(with_rowid=True)
    else:
        op.drop_column("observations", "vintage")


def _rebuild_observations(*more: sa.Column[Any], with_rowid: bool) -> None:
    """Copy the observations into a table of another kind, in the order of their key."""
    columns = _observation_columns()
    op.create_table(
        "observations_rebuilt",
        *columns,
        *more,
        sa.PrimaryKeyConstraint(*_KEY, name=op.f("pk_observations")),
        sqlite_with_rowid=with_rowid,
    )
    names = ", ".join(column.name for column in columns)
    op.execute(
        f"INSERT INTO observations_rebuilt ({names}) "  # noqa: S608  # our own names
        f"SELECT {names} FROM observations ORDER BY {', '.join(_KEY)}"
    )
    op.drop_table("observations")
    op.rename_table("observations_rebuilt", "observations")


def _observation_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("commodity", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("half_width", sa.Float(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("usable", sa.Boolean(), nullable=False),
        sa.Column("available_at", UtcMoment(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
    ]


def _create_covariates() -> None:
    op.create_table(
        "covariates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("available_at", UtcMoment(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_url", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "name", "period", "source", "available_at", name=op.f("pk_covariates")
        ),
    )


def _create_quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("quarantined_at", UtcMoment(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("released_at", UtcMoment(), nullable=True),
        sa.Column("released_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
    )


def _create_reviews() -> None:
    op.create_table(
        "reviews",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("item_key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("published_on", sa.Date(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("proposed_at", UtcMoment(), nullable=False),
        sa.Column("decided_at", UtcMoment(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("source", "item_key", name=op.f("uq_reviews_source")),
    )
