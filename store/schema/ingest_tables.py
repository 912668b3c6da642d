"""The tables of ingestion: what was ingested when, what was refused, what waits for review.

Other than rows of facts, those of ``quarantine`` and ``reviews`` are updated once a person decides.
"""

from typing import Final

from sqlalchemy import Column, Date, Index, Integer, Table, Text, UniqueConstraint

from store.schema.columns import UtcMoment, text
from store.schema.tables import metadata

vintages: Final = Table(
    "vintages",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    text("source"),
    text("file_name"),
    text("sha256"),
    Column("rows", Integer, nullable=False),
    Column("first_available_at", UtcMoment),
    Column("last_available_at", UtcMoment),
    Column("ingested_at", UtcMoment),
    Column("period_from", Date),
    Column("period_to", Date),
    Column("actor", Text, nullable=False, server_default=""),
    Index("ix_vintages_source", "source", "file_name"),
)

quarantine: Final = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    text("source"),
    text("file_name"),
    text("sha256"),
    text("reasons"),
    text("payload"),
    Column("quarantined_at", UtcMoment, nullable=False),
    text("actor"),
    Column("released_at", UtcMoment),
    text("released_by"),
    text("note"),
)

reviews: Final = Table(
    "reviews",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    text("source"),
    text("item_key"),
    text("title"),
    text("url"),
    Column("published_on", Date),
    text("payload"),
    Column("proposed_at", UtcMoment, nullable=False),
    Column("decided_at", UtcMoment),
    text("decision"),
    text("decided_by"),
    text("note"),
    UniqueConstraint("source", "item_key"),
)
