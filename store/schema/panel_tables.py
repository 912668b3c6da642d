"""The tables of the panels behind publications: what was known of past months, never changed.

A panel is identified by the digest of its content, so publications with equal panels share one.
Its months refer to it by a number, which is shorter.
"""

from typing import Final

from sqlalchemy import (
    Column,
    Date,
    Float,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from store.schema.columns import UtcMoment
from store.schema.tables import metadata

panels: Final = Table(
    "panels",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("sha256", Text, nullable=False),
    Column("rows", Integer, nullable=False),
    UniqueConstraint("sha256"),
)

panel_months: Final = Table(
    "panel_months",
    metadata,
    Column("panel", Integer, nullable=False),
    Column("destination", Text, nullable=False),
    Column("period", Date, nullable=False),
    Column("tonnes", Float, nullable=False),
    # Of the logarithm: times the tonnes it is exactly the standard error in tonnes.
    Column("stderr_log", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("available_at", UtcMoment, nullable=False),
    PrimaryKeyConstraint("panel", "destination", "period"),
    # Rows of a panel are adjacent.
    sqlite_with_rowid=False,
)

panel_contradictions: Final = Table(
    "panel_contradictions",
    metadata,
    Column("panel", Integer, nullable=False),
    # The worst comes first.
    Column("place", Integer, nullable=False),
    Column("statement", Text, nullable=False),
    Column("residual_t", Float, nullable=False),
    Column("z", Float, nullable=False),
    Column("weight", Float, nullable=False),
    Column("source_url", Text, nullable=False),
    PrimaryKeyConstraint("panel", "place"),
)
