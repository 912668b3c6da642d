"""The tables: what a row is, and which columns name it.

Rows are never edited, ``runs``, ``tokens``, ``publications`` and the two desks (``quarantine``,
``reviews``) apart; those of the planners' desk are in ``store.schema.planning_tables``. A
table's natural key names a row; its other columns are what the row says. Columns marked ``WORDING``
may be phrased anew without changing what is said; columns marked ``BOOKKEEPING`` are the store's
own.
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

from store.schema.columns import UtcMoment
from store.vocabulary import QUANTILE_COLUMNS

WORDING: Final = {"wording": True}
"""Mark of a column two tellings of one row may differ in."""

BOOKKEEPING: Final = {"bookkeeping": True}
"""Mark of a column the store fills in: no source states it and no reader of rows sees it."""

MOMENT: Final = "available_at"
"""The column whose values tell the versions of one cell apart."""

metadata: Final = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_name)s"}
)


def _text(name: str, *, wording: bool = False, nullable: bool = False) -> Column[str]:
    """Make a text column; empty text, not NULL, where nothing is said."""
    return Column(name, Text, nullable=nullable, info=WORDING if wording else {})


def _event_columns() -> list[Column[Any]]:
    """Make the columns every table of event versions has."""
    return [
        _text("event_id"),
        Column("available_at", UtcMoment, nullable=False),
        Column("announced_on", Date, nullable=False),
        *(
            Column(name, Date)
            for name in ("effective_from", "effective_to", "suspended_from", "suspended_to")
        ),
        _text("issuer", wording=True),
        _text("instrument"),
        _text("legal_reference", wording=True),
        _text("direction"),
        Column("severity", Integer, nullable=False),
        _text("destinations"),
        *(
            _text(name, wording=True)
            for name in ("products", "summary", "source_urls", "confidence", "evidence", "note")
        ),
    ]


observations: Final = Table(
    "observations",
    metadata,
    _text("commodity"),
    _text("origin"),
    _text("destination"),
    _text("measure"),
    Column("period_from", Date, nullable=False),
    Column("period_to", Date, nullable=False),
    Column("value", Float, nullable=False),
    _text("unit"),
    Column("half_width", Float, nullable=False),
    _text("kind"),
    Column("usable", Boolean, nullable=False),
    Column("available_at", UtcMoment, nullable=False),
    _text("source"),
    _text("source_url"),
    _text("note", wording=True),
    Column("vintage", Integer, info=BOOKKEEPING),
    PrimaryKeyConstraint(
        "commodity", "origin", "destination", "measure", "period_from", "period_to", "kind",
        "available_at", "source", "source_url",
    ),
    Index("ix_observations_source", "source"),
    # Rows lie in the order of their key: those of a commodity side by side.
    sqlite_with_rowid=False,
)  # fmt: skip

covariates: Final = Table(
    "covariates",
    metadata,
    _text("name"),
    Column("period", Date, nullable=False),
    Column("value", Float, nullable=False),
    _text("unit"),
    Column("available_at", UtcMoment, nullable=False),
    _text("source"),
    _text("source_url", wording=True),
    PrimaryKeyConstraint("name", "period", "source", "available_at"),
)

policy_events: Final = Table(
    "policy_events", metadata, *_event_columns(), PrimaryKeyConstraint("event_id", "available_at")
)

analog_events: Final = Table(
    "analog_events",
    metadata,
    *_event_columns(),
    _text("material"),
    PrimaryKeyConstraint("event_id", "available_at"),
)

tariff_steps: Final = Table(
    "tariff_steps",
    metadata,
    _text("importer"),
    _text("origin"),
    _text("component"),
    _text("product_scope"),
    Column("rate_pct", Float),
    Column("effective_from", Date, nullable=False),
    Column("effective_to", Date),
    Column("announced_on", Date),
    _text("legal_reference", wording=True),
    _text("source_url", wording=True),
    _text("confidence", wording=True),
    _text("note", wording=True),
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
    _text("what"),
    Column("available_at", UtcMoment, nullable=False),
    _text("source_url"),
    PrimaryKeyConstraint("period_from", "period_to", "what", "released_on", "source_url"),
)

forecasts: Final = Table(
    "forecasts",
    metadata,
    # Grows with each publication: tells the newer of two models of one as_of without a clock.
    Column("id", Integer, primary_key=True, autoincrement=True),
    _text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    _text("destination"),
    Column("period", Date, nullable=False),
    _text("model_version"),
    Column("cutoff", Date, nullable=False),
    Column("horizon", Integer, nullable=False),
    *(Column(name, Float, nullable=False) for name in QUANTILE_COLUMNS),
    Column("mean", Float, nullable=False),
    _text("status"),
    Column("band_hit_rate", Float, info=WORDING),
    _text("drivers", wording=True, nullable=True),
    _text("contributions", wording=True, nullable=True),
    _text("reason", wording=True, nullable=True),
    _text("data_vintage", wording=True),
    Column("publication", Integer, info=BOOKKEEPING),
    UniqueConstraint("commodity", "as_of", "destination", "period", "model_version"),
)

publications: Final = Table(
    "publications",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    _text("sha256"),
    Column("rows", Integer, nullable=False),
    _text("models"),
    _text("data_vintage"),
    _text("state"),
    # When the digest was made; NULL where the publisher had no clock.
    Column("frozen_at", UtcMoment),
    Column("published_at", UtcMoment),
    # First month whose release was still to come when it was published.
    Column("ahead_from", Date),
    _text("made_with"),
    _text("held_because"),
    _text("decided_by"),
    _text("note"),
    # Digest of the panel it rests on; empty where none was stored.
    _text("panel"),
    # The rows of what is held, as JSON; empty for what is published.
    _text("payload"),
    UniqueConstraint("commodity", "as_of", "sha256"),
)

scores: Final = Table(
    "scores",
    metadata,
    _text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    _text("model"),
    _text("scope"),
    Column("horizon_from", Integer, nullable=False),
    Column("horizon_to", Integer, nullable=False),
    _text("metric"),
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
    _text("flow"),
    _text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    _text("data_vintage"),
    _text("model_version", nullable=True),
    _text("git_commit", nullable=True),
    _text("mlflow_run_id", nullable=True),
    _text("status"),
    Column("started_at", UtcMoment, nullable=False),
    Column("finished_at", UtcMoment),
)

readings: Final = Table(
    "readings",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("measured_at", UtcMoment, nullable=False),
    Column("as_of", UtcMoment, nullable=False),
    _text("monitor"),
    _text("subject"),
    Column("value", Float),
    Column("bound", Float),
    Column("size", Integer, nullable=False),
    Column("fired", Boolean, nullable=False),
    _text("words"),
    UniqueConstraint("measured_at", "monitor", "subject"),
)

overrides: Final = Table(
    "overrides",
    metadata,
    _text("commodity"),
    _text("target"),
    _text("target_key"),
    _text("field"),
    Column("available_at", UtcMoment, nullable=False),
    _text("value"),
    _text("author"),
    _text("reason", wording=True),
    PrimaryKeyConstraint("commodity", "target", "target_key", "field", "available_at"),
)

labels: Final = Table(
    "labels",
    metadata,
    _text("commodity"),
    Column("available_at", UtcMoment, nullable=False),
    _text("label"),
    PrimaryKeyConstraint("commodity", "available_at"),
)

vintages: Final = Table(
    "vintages",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _text("source"),
    _text("file_name"),
    _text("sha256"),
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
    _text("source"),
    _text("file_name"),
    _text("sha256"),
    _text("reasons"),
    _text("payload"),
    Column("quarantined_at", UtcMoment, nullable=False),
    _text("actor"),
    Column("released_at", UtcMoment),
    _text("released_by"),
    _text("note"),
)

reviews: Final = Table(
    "reviews",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _text("source"),
    _text("item_key"),
    _text("title"),
    _text("url"),
    Column("published_on", Date),
    _text("payload"),
    Column("proposed_at", UtcMoment, nullable=False),
    Column("decided_at", UtcMoment),
    _text("decision"),
    _text("decided_by"),
    _text("note"),
    UniqueConstraint("source", "item_key"),
)

tokens: Final = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _text("name"),
    _text("sha256"),
    _text("scopes"),
    Column("created_at", UtcMoment, nullable=False),
    Column("revoked_at", UtcMoment),
    UniqueConstraint("sha256"),
)


def natural_key(table: Table) -> tuple[str, ...]:
    """Return the columns that name a row of ``table``."""
    unique = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    named = unique[0].columns if unique else table.primary_key.columns
    return tuple(column.name for column in named)


def stated_columns(table: Table) -> tuple[str, ...]:
    """Return the columns in which two tellings of one row must agree."""
    key = {*natural_key(table), "id"}
    return tuple(c.name for c in table.columns if c.name not in key and not c.info)


def told_columns(table: Table) -> tuple[Column[Any], ...]:
    """Return the columns a source fills and a reader sees: all but the store's own."""
    return tuple(c for c in table.columns if not c.info.get("bookkeeping"))


def cell_of(table: Table) -> tuple[str, ...]:
    """Return the columns that name a fact whatever its version: the key without its moment."""
    return tuple(name for name in natural_key(table) if name != MOMENT)
