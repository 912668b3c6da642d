"""Several publications and backtests of one moment: each keeps its own rows.

Every fact names the ingest that brought it, so that what a publication knew is distinct from
what came later on its day.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_FORECAST = ("commodity", "as_of", "destination", "period", "model_version")
_FACTS = ("policy_events", "analog_events", "tariff_steps", "release_calendar", "covariates")
_SCORE = ("model", "scope", "horizon_from", "horizon_to", "metric")


def upgrade() -> None:
    """Add publication and backtest to the natural keys; what was scored before is backtest 1."""
    op.execute("UPDATE forecasts SET publication = 0 WHERE publication IS NULL")
    with op.batch_alter_table("forecasts") as table:
        table.alter_column("publication", existing_type=sa.Integer(), nullable=False)
        table.drop_constraint("uq_forecasts_commodity", type_="unique")
        table.create_unique_constraint("uq_forecasts_commodity", [*_FORECAST, "publication"])
    for name in _FACTS:
        op.add_column(name, sa.Column("vintage", sa.Integer(), nullable=True))
    with op.batch_alter_table("publications") as table:
        table.drop_constraint("uq_publications_commodity", type_="unique")
    with op.batch_alter_table("scores") as table:
        table.add_column(sa.Column("backtest", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("data_vintage", sa.Text(), nullable=False, server_default=""))
        table.drop_constraint("pk_scores", type_="primary")
        table.create_primary_key("pk_scores", ["commodity", "as_of", "backtest", *_SCORE])
    with op.batch_alter_table("scores") as table:
        table.alter_column("backtest", server_default=None)
        table.alter_column("data_vintage", server_default=None)


def downgrade() -> None:
    """Take it back; of several of one moment the newest stays."""
    op.execute(
        "DELETE FROM forecasts WHERE EXISTS (SELECT 1 FROM forecasts AS f WHERE f.id > forecasts.id"
        " AND f.commodity = forecasts.commodity AND f.as_of = forecasts.as_of"
        " AND f.destination = forecasts.destination AND f.period = forecasts.period"
        " AND f.model_version = forecasts.model_version)"
    )
    op.execute(
        "DELETE FROM publications WHERE EXISTS (SELECT 1 FROM publications AS p"
        " WHERE p.id > publications.id AND p.commodity = publications.commodity"
        " AND p.as_of = publications.as_of AND p.sha256 = publications.sha256)"
    )
    op.execute(
        "DELETE FROM scores WHERE EXISTS (SELECT 1 FROM scores AS s WHERE s.backtest >"
        " scores.backtest AND s.commodity = scores.commodity AND s.as_of = scores.as_of)"
    )
    with op.batch_alter_table("scores") as table:
        table.drop_constraint("pk_scores", type_="primary")
        table.create_primary_key("pk_scores", ["commodity", "as_of", *_SCORE])
        table.drop_column("data_vintage")
        table.drop_column("backtest")
    for name in _FACTS:
        with op.batch_alter_table(name) as table:
            table.drop_column("vintage")
    with op.batch_alter_table("publications") as table:
        table.create_unique_constraint(
            "uq_publications_commodity", ["commodity", "as_of", "sha256"]
        )
    with op.batch_alter_table("forecasts") as table:
        table.drop_constraint("uq_forecasts_commodity", type_="unique")
        table.create_unique_constraint("uq_forecasts_commodity", list(_FORECAST))
        table.alter_column("publication", existing_type=sa.Integer(), nullable=True)
