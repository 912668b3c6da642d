"""The tables of the store, and which columns identify a row of each.

Facts are never edited; rows of ``quarantine`` and ``reviews`` are updated once a person decides. A
table's natural key identifies a row; its other columns hold the values. Columns marked ``WORDING``
may be rephrased without changing a value; columns marked ``BOOKKEEPING`` are filled by the store
itself.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    DDL,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
)
from sqlalchemy.types import TypeEngine

from store.vocabulary import QUANTILE_COLUMNS

WORDING: Final = {"wording": True}
"""Mark of a column whose text may differ between two versions of one row."""

BOOKKEEPING: Final = {"bookkeeping": True}
"""Mark of a column the store fills in: no source states it and no reader of rows sees it."""

TEXT_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
"""Fixed width, so that text order is time order where the database has no zones."""


class UtcMoment(TypeDecorator[datetime]):
    """A UTC moment: ``timestamptz`` on PostgreSQL, sortable ISO text on SQLite.

    A naive datetime is refused on the way in; what comes out is always aware.
    """

    impl = String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Pick the database's own type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(27))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | datetime | None:
        """Turn an aware datetime into what the database keeps."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(
                f"Moment {value.isoformat()} has no time zone. Expected an aware datetime, such as "
                "2025-04-10T00:00:00+00:00. Attach UTC where the moment enters the program."
            )
        moment = value.astimezone(UTC)
        return moment.strftime(TEXT_FORMAT) if dialect.name == "sqlite" else moment

    def process_result_value(
        self,
        value: str | datetime | None,
        dialect: Dialect,  # noqa: ARG002  # the base class asks for it
    ) -> datetime | None:
        """Turn what the database keeps into an aware datetime."""
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.strptime(value, TEXT_FORMAT).replace(tzinfo=UTC)
        return value.astimezone(UTC)


def text(name: str, *, wording: bool = False, nullable: bool = False) -> Column[str]:
    """Make a text column; empty text, not NULL, where it is left out."""
    default = None if nullable else ""
    return Column(name, Text, nullable=nullable, default=default, info=WORDING if wording else {})


def texts(*names: str, wording: bool = False, nullable: bool = False) -> list[Column[str]]:
    """Make several text columns; as ``text``."""
    return [text(name, wording=wording, nullable=nullable) for name in names]


def columns(kind: type[TypeEngine[Any]], *names: str, nullable: bool = False) -> list[Column[Any]]:
    """Make several columns of one type."""
    return [Column(name, kind, nullable=nullable) for name in names]


def serial() -> Column[int]:
    """Make the column ``id`` of rows that are numbered as they come."""
    return Column("id", Integer, primary_key=True, autoincrement=True)


MOMENT: Final = "available_at"
"""The column that distinguishes the versions of one cell."""

metadata: Final = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_name)s"}
)

schema_mark: Final = Table("schema_mark", metadata, Column("revision", Text, primary_key=True))


def _event_columns() -> list[Column[Any]]:
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
        *texts("destinations", "covers"),
        # Share of the trade in magnets, or in the act's own mineral; NULL where it is not known.
        Column("covered_share", Float),
        *(
            text(name, wording=True)
            for name in (
                "products",
                "covered_because",
                "summary",
                "source_urls",
                "confidence",
                "evidence",
                "note",
            )
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
    # Forms of the material that the act leaves free, with semicolons between.
    *texts("material", "exempt"),
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
    Column("ingested_at", UtcMoment),
    *columns(Date, "period_from", "period_to", nullable=True),
    *texts("actor", "asked"),
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
    *texts("released_by", "asked"),
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
    """The columns that identify a row of ``table``."""
    unique = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    named = unique[0].columns if unique else table.primary_key.columns
    return tuple(column.name for column in named)


def value_columns(table: Table) -> tuple[str, ...]:
    """The columns in which two rows of one key must agree."""
    key = {*natural_key(table), "id"}
    return tuple(c.name for c in table.columns if c.name not in key and not c.info)


def version_columns(table: Table) -> tuple[str, ...]:
    """The columns in which two versions of one cell differ; of an event its wording too."""
    wording = [c.name for c in table.columns if c.info.get("wording") and "event_id" in table.c]
    return (*value_columns(table), *wording)


def source_columns(table: Table) -> tuple[Column[Any], ...]:
    """The columns a source fills and a reader sees: all but bookkeeping."""
    return tuple(c for c in table.columns if not c.info.get("bookkeeping"))


def cell_of(table: Table) -> tuple[str, ...]:
    """The columns that identify a fact regardless of its version."""
    return tuple(name for name in natural_key(table) if name != MOMENT)


forecasts: Final = Table(
    "forecasts",
    metadata,
    serial(),
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
    *texts("drivers", "contributions", "reason", wording=True, nullable=True),
    text("data_vintage", wording=True),
    Column("publication", Integer, nullable=False, default=0),
    UniqueConstraint("commodity", "as_of", "destination", "period", "model_version", "publication"),
)

publications: Final = Table(
    "publications",
    metadata,
    serial(),
    text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    text("sha256"),
    Column("rows", Integer, nullable=False),
    *texts("models", "data_vintage", "state"),
    # When the digest was made; NULL where the publisher had no clock.
    *columns(UtcMoment, "frozen_at", "published_at", nullable=True),
    # First month not yet released when it was published.
    Column("ahead_from", Date),
    *texts("made_with", "held_because", "decided_by", "note"),
    # Digest of the panel it rests on; empty where none was stored.
    text("panel"),
    # The rows of a held publication, as JSON; empty for a published one.
    text("payload"),
    # What changed since the publication before it and what may come, as JSON; empty before that
    # was computed.
    text("explanation"),
)

backtests: Final = Table(
    "backtests",
    metadata,
    serial(),
    text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    # Scores, and the forecasts behind them, as JSON.
    *texts("data_vintage", "scores", "cells"),
)

runs: Final = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    *texts("flow", "commodity"),
    Column("as_of", UtcMoment, nullable=False),
    text("data_vintage"),
    text("model_version", nullable=True),
    text("status"),
    Column("started_at", UtcMoment, nullable=False),
    Column("finished_at", UtcMoment),
)

readings: Final = Table(
    "readings",
    metadata,
    serial(),
    *columns(UtcMoment, "measured_at", "as_of"),
    text("monitor"),
    *columns(Float, "value", "bound", nullable=True),
    Column("size", Integer, nullable=False),
    Column("fired", Boolean, nullable=False),
    text("words"),
    UniqueConstraint("measured_at", "monitor"),
)

labels: Final = Table(
    "labels",
    metadata,
    serial(),
    *texts("commodity", "label"),
    Column("available_at", UtcMoment, nullable=False),
)


panels: Final = Table(
    "panels",
    metadata,
    # Of the content: packed JSON, so that a panel of the partner tables takes 0.2 MB.
    Column("sha256", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

needs: Final = Table(
    "needs",
    metadata,
    serial(),
    text("name"),
    text("commodity"),
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
    # Identifies the rule in the ids of the feed and of messages.
    *texts("uid", "name", "measure"),
    Column("need_id", Integer, ForeignKey("needs.id", name="fk_alert_rules_need_id")),
    text("commodity"),
    text("destination"),
    Column("points", Float, nullable=False),
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

champions: Final = Table(
    "champions",
    metadata,
    Column("name", String, primary_key=True),
    Column("version", Integer, nullable=False),
    *texts("run_id", "folder", "model_version", "as_of", "data_vintage", "recipe", "rolled_back"),
    *texts("git_commit", "parameters", "sha256"),
)

overrides: Final = Table(
    "overrides",
    metadata,
    serial(),
    *texts("commodity", "destination"),
    Column("period", Date, nullable=False),
    Column("as_of", UtcMoment, nullable=False),
    Column("tonnes", Float, nullable=False),
    *texts("author", "reason"),
    Column("available_at", UtcMoment, nullable=False),
)

tokens: Final = Table(
    "tokens",
    metadata,
    serial(),
    *texts("name", "sha256", "scopes"),
    Column("created_at", UtcMoment, nullable=False),
    Column("revoked_at", UtcMoment),
    Column("expires_at", UtcMoment, nullable=False),
    UniqueConstraint("sha256"),
)


def schema_digest(schema: MetaData) -> str:
    """A digest of all tables, columns and keys, the same on every database."""
    parts = [
        f"{column} {type(column.type).__name__} {column.nullable}"
        for table in schema.tables.values()
        for column in table.columns
    ]
    parts += [f"{table} {natural_key(table)}" for table in schema.tables.values()]
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:12]


REVISION: Final = schema_digest(metadata)
"""A database whose tables were made by another is refused."""
