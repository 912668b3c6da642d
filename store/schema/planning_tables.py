"""The tables of the planners' desk: what they need, what they want to hear of, who wrote what.

``overrides``, in ``store.schema.tables``, is the fourth thing a planner writes.
"""

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
)

from store.schema.columns import UtcMoment
from store.schema.tables import metadata
from store.vocabulary import COMMODITY


def _text(name: str) -> Column[str]:
    """Make a text column; empty text, not NULL, where nothing is said."""
    return Column(name, Text, nullable=False)


def _commodity() -> Column[str]:
    """Make the column that says what a row is of; the default is of rows before there was any."""
    return Column("commodity", Text, nullable=False, server_default=COMMODITY)


needs: Final = Table(
    "needs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _text("name"),
    _commodity(),
    _text("destination"),
    Column("period_from", Date, nullable=False),
    Column("period_to", Date, nullable=False),
    Column("tonnes", Float, nullable=False),
    _text("author"),
    Column("created_at", UtcMoment, nullable=False),
    Column("ended_at", UtcMoment),
)

alert_rules: Final = Table(
    "alert_rules",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    # Names the rule everywhere: in the ids of the feed, and in the secret of its webhook.
    _text("uid"),
    _text("name"),
    _text("measure"),
    Column("need_id", Integer, ForeignKey("needs.id", name="fk_alert_rules_need_id")),
    _commodity(),
    _text("destination"),
    Column("points", Float, nullable=False),
    _text("url"),
    # The newest publication when the rule was made: it speaks of later ones only.
    Column("since", UtcMoment),
    _text("author"),
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
    _text("message"),
    Column("evaluated_at", UtcMoment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("delivered_at", UtcMoment),
    _text("trouble"),
    PrimaryKeyConstraint("rule_id", "as_of"),
)

audit: Final = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcMoment, nullable=False),
    Column("token_id", Integer),
    _text("actor"),
    _text("action"),
    _text("object"),
    _text("before"),
    _text("after"),
)
