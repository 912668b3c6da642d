"""Keep all champions in order of promotion, not the last alone."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

VERSION = (
    "run_id folder model_version as_of data_vintage recipe rolled_back git_commit parameters sha256"
)


def upgrade() -> None:
    """The last champion stays."""
    last = op.get_bind().execute(sa.text("SELECT * FROM champions ORDER BY name")).mappings().all()
    op.drop_table("champions")
    champions = op.create_table(
        "champions",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in VERSION.split()),
        sa.PrimaryKeyConstraint("id", name="pk_champions"),
    )
    op.bulk_insert(champions, [{**row, "rolled_back": ""} for row in last])
