"""The planners' desk: needs, alert rules, alerts, and an audit trail that only grows."""

import sqlalchemy as sa
from alembic import op

from store.schema.columns import UtcMoment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_KEPT = "the audit trail only grows"


def upgrade() -> None:
    """Add the tables and what keeps the audit trail from being changed."""
    op.create_table(
        "needs",
        _id(),
        *_texts("name", "destination"),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_to", sa.Date(), nullable=False),
        sa.Column("tonnes", sa.Float(), nullable=False),
        *_texts("author"),
        sa.Column("created_at", UtcMoment(), nullable=False),
        sa.Column("ended_at", UtcMoment()),
        sa.PrimaryKeyConstraint("id", name="pk_needs"),
    )
    op.create_table(
        "alert_rules",
        _id(),
        *_texts("uid", "name", "measure"),
        sa.Column("need_id", sa.Integer()),
        *_texts("destination"),
        sa.Column("points", sa.Float(), nullable=False),
        *_texts("url"),
        sa.Column("since", UtcMoment()),
        *_texts("author"),
        sa.Column("created_at", UtcMoment(), nullable=False),
        sa.Column("ended_at", UtcMoment()),
        sa.PrimaryKeyConstraint("id", name="pk_alert_rules"),
        sa.ForeignKeyConstraint(["need_id"], ["needs.id"], name="fk_alert_rules_need_id"),
    )
    op.create_table(
        "alerts",
        sa.Column("rule_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("as_of", UtcMoment(), nullable=False),
        sa.Column("against", UtcMoment(), nullable=False),
        sa.Column("fired", sa.Boolean(), nullable=False),
        sa.Column("period", sa.Date()),
        sa.Column("before", sa.Float()),
        sa.Column("after", sa.Float()),
        *_texts("message"),
        sa.Column("evaluated_at", UtcMoment(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("delivered_at", UtcMoment()),
        *_texts("trouble"),
        sa.PrimaryKeyConstraint("rule_id", "as_of", name="pk_alerts"),
        sa.ForeignKeyConstraint(["rule_id"], ["alert_rules.id"], name="fk_alerts_rule_id"),
    )
    op.create_table(
        "audit",
        _id(),
        sa.Column("at", UtcMoment(), nullable=False),
        sa.Column("token_id", sa.Integer()),
        *_texts("actor", "action", "object", "before", "after"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    for statement in _guards(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Take them away; what planners wrote goes with them."""
    for name in ("audit", "alerts", "alert_rules", "needs"):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_only_grows()")


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), nullable=False, autoincrement=True)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _guards(dialect: str) -> list[str]:
    """Return what lets the database itself refuse to change or remove an audit row."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    function = (
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_KEPT}'; END $$"
    )
    trigger = (
        "CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()"
    )
    return [function, trigger]
