"""Tables of facts, publications, scores and runs, and which columns identify their rows.

Rows are never edited, except those of ``runs`` and ``publications``. A table's natural key
identifies a row; its other columns hold the values. Columns marked ``WORDING`` may be rephrased
without changing a value; columns marked ``BOOKKEEPING`` are filled by the store itself. Other
tables: ``store.schema.ingest_tables``, ``planning_tables`` and ``panel_tables``.
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

from store.schema.columns import BOOKKEEPING, WORDING, UtcMoment, text
from store.vocabulary import QUANTILE_COLUMNS

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
    ]


observations: Final = Table(
    "observations",
    metadata,
    text("commodity"),
    text("origin"),
    text("destination"),
    text("measure"),
    Column("period_from", Date, nullable=False),
    Column("period_to", Date, nullable=False),
    Column("value", Float, nullable=False),
    text("unit"),
    Column("half_width", Float, nullable=False),
    text("kind"),
    Column("usable", Boolean, nullable=False),
    Column("available_at", UtcMoment, nullable=False),
    text("source"),
    text("source_url"),
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

covariates: Final = Table(
    "covariates",
    metadata,
    text("name"),
    Column("period", Date, nullable=False),
    Column("value", Float, nullable=False),
    text("unit"),
    Column("available_at", UtcMoment, nullable=False),
    text("source"),
    text("source_url", wording=True),
    PrimaryKeyConstraint("name", "period", "source", "available_at"),
)

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
    text("importer"),
    text("origin"),
    text("component"),
    text("product_scope"),
    Column("rate_pct", Float),
    Column("effective_from", Date, nullable=False),
    Column("effective_to", Date),
    Column("announced_on", Date),
    text("legal_reference", wording=True),
    text("source_url", wording=True),
    text("confidence", wording=True),
    text("note", wording=True),
    Column("available_at", UtcMoment, nullable=False),
    PrimaryKeyConstraint(
        "importer", "origin", "component", "product_scope", "effective_from", "available_at"
    ),
)

release_calendar: Final = Table(
    "release_calendar",
    metadata,
    Column("period_from", Date, nullable=False),
    Column("period_to", Date, nullable=False),
    Column("released_on", Date, nullable=False),
    text("what"),
    Column("available_at", UtcMoment, nullable=False),
    text("source_url"),
    PrimaryKeyConstraint("period_from", "period_to", "what", "released_on", "source_url"),
)

forecasts: Final = Table(
    "forecasts",
    metadata,
    # Grows with each publication: orders two models of one as_of without a clock.
    Column("id", Integer, primary_key=True, autoincrement=True),
    text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    text("destination"),
    Column("period", Date, nullable=False),
    text("model_version"),
    Column("cutoff", Date, nullable=False),
    Column("horizon", Integer, nullable=False),
    *(Column(name, Float, nullable=False) for name in QUANTILE_COLUMNS),
    Column("mean", Float, nullable=False),
    text("status"),
    Column("band_hit_rate", Float, info=WORDING),
    text("drivers", wording=True, nullable=True),
    text("contributions", wording=True, nullable=True),
    text("reason", wording=True, nullable=True),
    text("data_vintage", wording=True),
    Column("publication", Integer, info=BOOKKEEPING),
    UniqueConstraint("commodity", "as_of", "destination", "period", "model_version"),
)

publications: Final = Table(
    "publications",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    text("sha256"),
    Column("rows", Integer, nullable=False),
    text("models"),
    text("data_vintage"),
    text("state"),
    # When the digest was made; NULL where the publisher had no clock.
    Column("frozen_at", UtcMoment),
    Column("published_at", UtcMoment),
    # First month not yet released when it was published.
    Column("ahead_from", Date),
    text("made_with"),
    text("held_because"),
    text("decided_by"),
    text("note"),
    # Digest of the panel it rests on; empty where none was stored.
    text("panel"),
    # The rows of a held publication, as JSON; empty for a published one.
    text("payload"),
    UniqueConstraint("commodity", "as_of", "sha256"),
)

scores: Final = Table(
    "scores",
    metadata,
    text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    text("model"),
    text("scope"),
    Column("horizon_from", Integer, nullable=False),
    Column("horizon_to", Integer, nullable=False),
    text("metric"),
    Column("value", Float, nullable=False),
    Column("cells", Integer, nullable=False),
    PrimaryKeyConstraint(
        "commodity", "as_of", "model", "scope", "horizon_from", "horizon_to", "metric"
    ),
)

runs: Final = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    text("flow"),
    text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    text("data_vintage"),
    text("model_version", nullable=True),
    text("git_commit", nullable=True),
    text("mlflow_run_id", nullable=True),
    text("status"),
    Column("started_at", UtcMoment, nullable=False),
    Column("finished_at", UtcMoment),
)

readings: Final = Table(
    "readings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("measured_at", UtcMoment, nullable=False),
    Column("as_of", UtcMoment, nullable=False),
    text("monitor"),
    text("subject"),
    Column("value", Float),
    Column("bound", Float),
    Column("size", Integer, nullable=False),
    Column("fired", Boolean, nullable=False),
    text("words"),
    UniqueConstraint("measured_at", "monitor", "subject"),
)

labels: Final = Table(
    "labels",
    metadata,
    text("commodity"),
    Column("available_at", UtcMoment, nullable=False),
    text("label"),
    PrimaryKeyConstraint("commodity", "available_at"),
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


def source_columns(table: Table) -> tuple[Column[Any], ...]:
    """Return the columns a source fills and a reader sees: all but bookkeeping."""
    return tuple(c for c in table.columns if not c.info.get("bookkeeping"))


def cell_of(table: Table) -> tuple[str, ...]:
    """Return the columns that identify a fact regardless of its version."""
    return tuple(name for name in natural_key(table) if name != MOMENT)
