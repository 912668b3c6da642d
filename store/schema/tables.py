"""Tables of facts and their ingestion, and which columns identify a row of any table.

Facts are never edited; rows of ``quarantine`` and ``reviews`` are updated once a person decides. A
table's natural key identifies a row; its other columns hold the values. Columns marked ``WORDING``
may be rephrased without changing a value; columns marked ``BOOKKEEPING`` are filled by the store
itself. Other tables: ``store.schema.publication_tables`` and ``planning_tables``.
"""

from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Float,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from store.schema.columns import BOOKKEEPING, UtcMoment, columns, serial, text, texts

MOMENT: Final = "available_at"
"""The column that distinguishes the versions of one cell."""

metadata: Final = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_name)s"}
)


def _event_columns() -> list[Column[Any]]:
    """Make the columns every table of event versions has."""
    return [
        text("event_id"),
        Column("available_at", UtcMoment, nullable=False),
        Column("announced_on", Date, nullable=False),
        *(
            Column(name, Date)
            for name in ("effective_from", "effective_to", "suspended_from", "suspended_to")
        ),
        text("issuer", wording=True),
        text("instrument"),
        text("legal_reference", wording=True),
        text("direction"),
        Column("severity", Integer, nullable=False),
        text("destinations"),
        *(
            text(name, wording=True)
            for name in ("products", "summary", "source_urls", "confidence", "evidence", "note")
        ),
        Column("vintage", Integer, info=BOOKKEEPING),
    ]


observations: Final = Table(
    "observations",
    metadata,
    *texts("commodity", "origin", "destination", "measure"),
    *columns(Date, "period_from", "period_to"),
    Column("value", Float, nullable=False),
    text("unit"),
    Column("half_width", Float, nullable=False),
    text("kind"),
    Column("usable", Boolean, nullable=False),
    Column("available_at", UtcMoment, nullable=False),
    *texts("source", "source_url"),
    text("note", wording=True),
    Column("vintage", Integer, info=BOOKKEEPING),
    PrimaryKeyConstraint(
        "commodity", "origin", "destination", "measure", "period_from", "period_to", "kind",
        "available_at", "source", "source_url",
    ),
    Index("ix_observations_source", "source"),
    # Rows are stored in the order of their key, so those of a commodity are adjacent.
    sqlite_with_rowid=False,
)  # fmt: skip

policy_events: Final = Table(
    "policy_events", metadata, *_event_columns(), PrimaryKeyConstraint("event_id", "available_at")
)

analog_events: Final = Table(
    "analog_events",
    metadata,
    *_event_columns(),
    text("material"),
    PrimaryKeyConstraint("event_id", "available_at"),
)

tariff_steps: Final = Table(
    "tariff_steps",
    metadata,
    *texts("importer", "origin", "component", "product_scope"),
    Column("rate_pct", Float),
    Column("effective_from", Date, nullable=False),
    *columns(Date, "effective_to", "announced_on", nullable=True),
    *texts("legal_reference", "source_url", "confidence", "note", wording=True),
    Column("available_at", UtcMoment, nullable=False),
    Column("vintage", Integer, info=BOOKKEEPING),
    PrimaryKeyConstraint(
        "importer", "origin", "component", "product_scope", "effective_from", "available_at"
    ),
)

release_calendar: Final = Table(
    "release_calendar",
    metadata,
    *columns(Date, "period_from", "period_to", "released_on"),
    text("what"),
    Column("available_at", UtcMoment, nullable=False),
    text("source_url"),
    Column("vintage", Integer, info=BOOKKEEPING),
    PrimaryKeyConstraint("period_from", "period_to", "what", "released_on", "source_url"),
)

vintages: Final = Table(
    "vintages",
    metadata,
    serial(),
    *texts("source", "file_name", "sha256"),
    Column("rows", Integer, nullable=False),
    *columns(UtcMoment, "first_available_at", "last_available_at", "ingested_at", nullable=True),
    *columns(Date, "period_from", "period_to", nullable=True),
    *(Column(name, Text, nullable=False, server_default="") for name in ("actor", "asked")),
    Index("ix_vintages_source", "source", "file_name"),
)

quarantine: Final = Table(
    "quarantine",
    metadata,
    serial(),
    *texts("source", "file_name", "sha256", "reasons", "payload"),
    Column("quarantined_at", UtcMoment, nullable=False),
    text("actor"),
    Column("released_at", UtcMoment),
    *texts("released_by", "note"),
    Column("asked", Text, nullable=False, server_default=""),
)

reviews: Final = Table(
    "reviews",
    metadata,
    serial(),
    *texts("source", "item_key", "title", "url"),
    Column("published_on", Date),
    text("payload"),
    Column("proposed_at", UtcMoment, nullable=False),
    Column("decided_at", UtcMoment),
    *texts("decision", "decided_by", "note"),
    UniqueConstraint("source", "item_key"),
)


def natural_key(table: Table) -> tuple[str, ...]:
    """Return the columns that identify a row of ``table``."""
    unique = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    named = unique[0].columns if unique else table.primary_key.columns
    return tuple(column.name for column in named)


def value_columns(table: Table) -> tuple[str, ...]:
    """Return the columns in which two rows of one key must agree."""
    key = {*natural_key(table), "id"}
    return tuple(c.name for c in table.columns if c.name not in key and not c.info)


def version_columns(table: Table) -> tuple[str, ...]:
    """Return the columns in which two versions of one cell differ; of an event its wording too."""
    wording = [c.name for c in table.columns if c.info.get("wording") and "event_id" in table.c]
    return (*value_columns(table), *wording)


def source_columns(table: Table) -> tuple[Column[Any], ...]:
    """Return the columns a source fills and a reader sees: all but bookkeeping."""
    return tuple(c for c in table.columns if not c.info.get("bookkeeping"))


def cell_of(table: Table) -> tuple[str, ...]:
    """Return the columns that identify a fact regardless of its version."""
    return tuple(name for name in natural_key(table) if name != MOMENT)
