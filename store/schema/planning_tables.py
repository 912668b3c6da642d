"""The planning tables: needs, alert rules and their alerts, overrides, tokens, the audit trail."""

from typing import Final

from sqlalchemy import (
    DDL,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    event,
)

from store.schema.columns import UtcMoment, columns, serial, text, texts
from store.schema.tables import metadata
from store.vocabulary import COMMODITY


def _commodity() -> Column[str]:
    """Make the commodity column; the default is for rows older than the column."""
    return Column("commodity", Text, nullable=False, server_default=COMMODITY)


needs: Final = Table(
    "needs",
    metadata,
    serial(),
    text("name"),
    _commodity(),
    text("destination"),
    *columns(Date, "period_from", "period_to"),
    Column("tonnes", Float, nullable=False),
    text("author"),
    Column("created_at", UtcMoment, nullable=False),
    Column("ended_at", UtcMoment),
)

alert_rules: Final = Table(
    "alert_rules",
    metadata,
    serial(),
    # Identifies the rule in the ids of the feed and in the secret of its webhook.
    *texts("uid", "name", "measure"),
    Column("need_id", Integer, ForeignKey("needs.id", name="fk_alert_rules_need_id")),
    _commodity(),
    text("destination"),
    Column("points", Float, nullable=False),
    text("url"),
    # The newest publication when the rule was made: it applies to later ones only.
    Column("since", UtcMoment),
    text("author"),
    Column("created_at", UtcMoment, nullable=False),
    Column("ended_at", UtcMoment),
)

alerts: Final = Table(
    "alerts",
    metadata,
    Column(
        "rule_id",
        Integer,
        ForeignKey("alert_rules.id", name="fk_alerts_rule_id"),
        nullable=False,
        autoincrement=False,
    ),
    *columns(UtcMoment, "as_of", "against"),
    Column("fired", Boolean, nullable=False),
    Column("period", Date),
    *columns(Float, "before", "after", nullable=True),
    text("message"),
    Column("evaluated_at", UtcMoment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("delivered_at", UtcMoment),
    text("trouble"),
    PrimaryKeyConstraint("rule_id", "as_of"),
)

AUDIT_ONLY_GROWS: Final = "the audit trail only grows"

audit: Final = Table(
    "audit",
    metadata,
    serial(),
    Column("at", UtcMoment, nullable=False),
    Column("token_id", Integer),
    *texts("actor", "action", "object", "before", "after"),
)

for _verb in ("UPDATE", "DELETE"):
    event.listen(
        audit,
        "after_create",
        DDL(  # type: ignore[no-untyped-call]
            f"CREATE TRIGGER audit_no_{_verb.lower()} BEFORE {_verb} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{AUDIT_ONLY_GROWS}'); END"
        ).execute_if(dialect="sqlite"),
    )
event.listen(
    audit,
    "after_create",
    DDL(  # type: ignore[no-untyped-call]
        "CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{AUDIT_ONLY_GROWS}'; END $$; "
        "CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()"
    ).execute_if(dialect="postgresql"),
)

overrides: Final = Table(
    "overrides",
    metadata,
    *texts("commodity", "target", "target_key", "field"),
    Column("available_at", UtcMoment, nullable=False),
    *texts("value", "author"),
    text("reason", wording=True),
    PrimaryKeyConstraint("commodity", "target", "target_key", "field", "available_at"),
)

tokens: Final = Table(
    "tokens",
    metadata,
    serial(),
    *texts("name", "sha256", "scopes"),
    Column("created_at", UtcMoment, nullable=False),
    Column("revoked_at", UtcMoment),
    # Never empty; SQLite adds no other kind of column to a table that has rows.
    Column("expires_at", UtcMoment),
    UniqueConstraint("sha256"),
)
