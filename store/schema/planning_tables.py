"""The planning tables: needs, alert rules and their alerts, overrides, tokens, the audit trail."""

from typing import Final

from sqlalchemy import (
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
)

from store.schema.columns import UtcMoment, text
from store.schema.tables import metadata
from store.vocabulary import COMMODITY


def _commodity() -> Column[str]:
    """Make the commodity column; the default is for rows older than the column."""
    return Column("commodity", Text, nullable=False, server_default=COMMODITY)


needs: Final = Table(
    "needs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    text("name"),
    _commodity(),
    text("destination"),
    Column("period_from", Date, nullable=False),
    Column("period_to", Date, nullable=False),
    Column("tonnes", Float, nullable=False),
    text("author"),
    Column("created_at", UtcMoment, nullable=False),
    Column("ended_at", UtcMoment),
)

alert_rules: Final = Table(
    "alert_rules",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    # Identifies the rule in the ids of the feed and in the secret of its webhook.
    text("uid"),
    text("name"),
    text("measure"),
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
    Column("as_of", UtcMoment, nullable=False),
    Column("against", UtcMoment, nullable=False),
    Column("fired", Boolean, nullable=False),
    Column("period", Date),
    Column("before", Float),
    Column("after", Float),
    text("message"),
    Column("evaluated_at", UtcMoment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("delivered_at", UtcMoment),
    text("trouble"),
    PrimaryKeyConstraint("rule_id", "as_of"),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcMoment, nullable=False),
    Column("token_id", Integer),
    text("actor"),
    text("action"),
    text("object"),
    text("before"),
    text("after"),
)

overrides: Final = Table(
    "overrides",
    metadata,
    text("commodity"),
    text("target"),
    text("target_key"),
    text("field"),
    Column("available_at", UtcMoment, nullable=False),
    text("value"),
    text("author"),
    text("reason", wording=True),
    PrimaryKeyConstraint("commodity", "target", "target_key", "field", "available_at"),
)

tokens: Final = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    text("name"),
    text("sha256"),
    text("scopes"),
    Column("created_at", UtcMoment, nullable=False),
    Column("revoked_at", UtcMoment),
    UniqueConstraint("sha256"),
)
