"""The tables of the store, and which columns identify a row of each.

Facts are never edited; rows of ``quarantine`` and ``reviews`` are updated once a person decides. A
table's natural key identifies a row; its other columns hold the values. Columns marked ``WORDING``
may be rephrased without changing a value; columns marked ``BOOKKEEPING`` are filled by the store
itself.
"""

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from store.vocabulary import QUANTILE_COLUMNS

WORDING: Final = {"wording": True}
"""Mark of a column whose text may differ between two versions of one row."""

BOOKKEEPING: Final = {"bookkeeping": True}
"""Mark of a column the store fills in: no source states it and no reader of rows sees it."""

TEXT_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
"""Fixed width, so that text order is time order where the database has no zones."""


class UtcMoment(sa.TypeDecorator[datetime]):
    """A UTC moment: ``timestamptz`` on PostgreSQL, sortable ISO text on SQLite.

    A naive datetime is refused on the way in; what comes out is always aware.
    """

    impl = sa.String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        """Pick the database's own type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(27))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(
        self, value: datetime | None, dialect: sa.Dialect
    ) -> str | datetime | None:
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
        dialect: sa.Dialect,  # noqa: ARG002  # the base class asks for it
    ) -> datetime | None:
        """Turn what the database keeps into an aware datetime."""
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.strptime(value, TEXT_FORMAT).replace(tzinfo=UTC)
        return value.astimezone(UTC)


def text(name: str, *, wording: bool = False, nullable: bool = False) -> sa.Column[str]:
    """Make a text column; empty text, not NULL, where it is left out."""
    default = None if nullable else ""
    return sa.Column(
        name, sa.Text, nullable=nullable, default=default, info=WORDING if wording else {}
    )


def texts(*names: str, wording: bool = False, nullable: bool = False) -> list[sa.Column[str]]:
    """Make several text columns; as ``text``."""
    return [text(name, wording=wording, nullable=nullable) for name in names]


def columns(
    kind: type[TypeEngine[Any]], *names: str, nullable: bool = False
) -> list[sa.Column[Any]]:
    """Make several columns of one type."""
    return [sa.Column(name, kind, nullable=nullable) for name in names]


MOMENT: Final = "available_at"
"""The column that distinguishes the versions of one cell."""

metadata: Final = sa.MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_name)s"}
)


def _table(name: str, *items: SchemaItem, sqlite_with_rowid: bool = True) -> sa.Table:
    return sa.Table(name, metadata, *items, sqlite_with_rowid=sqlite_with_rowid)


def _numbered(name: str, *items: SchemaItem) -> sa.Table:
    number = sa.Column("id", sa.Integer, primary_key=True, autoincrement=True)
    return _table(name, number, *items)


schema_version: Final = _table(
    "schema_version", sa.Column("version_num", sa.String(32), primary_key=True)
)

_ACT_DAYS: Final = ("effective_from", "effective_to", "suspended_from", "suspended_to")
_ACT_WORDS: Final = (
    "products", "covered_because", "summary", "source_urls", "confidence", "evidence", "note",
)  # fmt: skip


def _event_columns() -> list[sa.Column[Any]]:
    return [
        text("event_id"),
        sa.Column("available_at", UtcMoment, nullable=False),
        sa.Column("announced_on", sa.Date, nullable=False),
        *columns(sa.Date, *_ACT_DAYS, nullable=True),
        text("issuer", wording=True),
        text("instrument"),
        text("legal_reference", wording=True),
        text("direction"),
        sa.Column("severity", sa.Integer, nullable=False),
        *texts("destinations", "covers"),
        # Share of the trade in magnets, or in the act's own mineral; NULL where it is not known.
        sa.Column("covered_share", sa.Float),
        *texts(*_ACT_WORDS, wording=True),
        sa.Column("vintage", sa.Integer, info=BOOKKEEPING),
    ]


observations: Final = _table(
    "observations",
    *texts("commodity", "origin", "destination", "measure"),
    *columns(sa.Date, "period_from", "period_to"),
    sa.Column("value", sa.Float, nullable=False),
    text("unit"),
    sa.Column("half_width", sa.Float, nullable=False),
    text("kind"),
    sa.Column("usable", sa.Boolean, nullable=False),
    sa.Column("available_at", UtcMoment, nullable=False),
    *texts("source", "source_url"),
    text("note", wording=True),
    sa.Column("vintage", sa.Integer, info=BOOKKEEPING),
    sa.PrimaryKeyConstraint(
        "commodity", "origin", "destination", "measure", "period_from", "period_to", "kind",
        "available_at", "source", "source_url",
    ),
    sa.Index("ix_observations_source", "source"),
    # Rows are stored in the order of their key, so those of a commodity are adjacent.
    sqlite_with_rowid=False,
)  # fmt: skip

policy_events: Final = _table(
    "policy_events", *_event_columns(), sa.PrimaryKeyConstraint("event_id", "available_at")
)

analog_events: Final = _table(
    "analog_events",
    *_event_columns(),
    # Forms of the material that the act leaves free, with semicolons between.
    *texts("material", "exempt"),
    sa.PrimaryKeyConstraint("event_id", "available_at"),
)

tariff_steps: Final = _table(
    "tariff_steps",
    *texts("importer", "origin", "component", "product_scope"),
    sa.Column("rate_pct", sa.Float),
    sa.Column("effective_from", sa.Date, nullable=False),
    *columns(sa.Date, "effective_to", "announced_on", nullable=True),
    *texts("legal_reference", "source_url", "confidence", "note", wording=True),
    sa.Column("available_at", UtcMoment, nullable=False),
    sa.Column("vintage", sa.Integer, info=BOOKKEEPING),
    sa.PrimaryKeyConstraint(
        "importer", "origin", "component", "product_scope", "effective_from", "available_at"
    ),
)

release_calendar: Final = _table(
    "release_calendar",
    *columns(sa.Date, "period_from", "period_to", "released_on"),
    text("what"),
    sa.Column("available_at", UtcMoment, nullable=False),
    text("source_url"),
    sa.Column("vintage", sa.Integer, info=BOOKKEEPING),
    sa.PrimaryKeyConstraint("period_from", "period_to", "what", "released_on", "source_url"),
)

vintages: Final = _numbered(
    "vintages",
    *texts("source", "file_name", "sha256"),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("ingested_at", UtcMoment),
    *columns(sa.Date, "period_from", "period_to", nullable=True),
    *texts("actor", "asked"),
    sa.Index("ix_vintages_source", "source", "file_name"),
)

quarantine: Final = _numbered(
    "quarantine",
    *texts("source", "file_name", "sha256", "reasons", "payload"),
    sa.Column("quarantined_at", UtcMoment, nullable=False),
    text("actor"),
    sa.Column("released_at", UtcMoment),
    *texts("released_by", "asked"),
)

reviews: Final = _numbered(
    "reviews",
    *texts("source", "item_key", "title", "url"),
    sa.Column("published_on", sa.Date),
    text("payload"),
    sa.Column("proposed_at", UtcMoment, nullable=False),
    sa.Column("decided_at", UtcMoment),
    *texts("decision", "decided_by", "note"),
    sa.UniqueConstraint("source", "item_key"),
)


def natural_key(table: sa.Table) -> tuple[str, ...]:
    """The columns that identify a row of ``table``."""
    unique = [c for c in table.constraints if isinstance(c, sa.UniqueConstraint)]
    named = unique[0].columns if unique else table.primary_key.columns
    return tuple(column.name for column in named)


def value_columns(table: sa.Table) -> tuple[str, ...]:
    """The columns in which two rows of one key must agree."""
    key = {*natural_key(table), "id"}
    return tuple(c.name for c in table.columns if c.name not in key and not c.info)


def version_columns(table: sa.Table) -> tuple[str, ...]:
    """The columns in which two versions of one cell differ; of an event its wording too."""
    wording = [c.name for c in table.columns if c.info.get("wording") and "event_id" in table.c]
    return (*value_columns(table), *wording)


def source_columns(table: sa.Table) -> tuple[sa.Column[Any], ...]:
    """The columns a source fills and a reader sees: all but bookkeeping."""
    return tuple(c for c in table.columns if not c.info.get("bookkeeping"))


def cell_of(table: sa.Table) -> tuple[str, ...]:
    """The columns that identify a fact regardless of its version."""
    return tuple(name for name in natural_key(table) if name != MOMENT)


forecasts: Final = _numbered(
    "forecasts",
    text("commodity"),
    sa.Column("as_of", UtcMoment, nullable=False),
    text("destination"),
    sa.Column("period", sa.Date, nullable=False),
    text("model_version"),
    sa.Column("cutoff", sa.Date, nullable=False),
    sa.Column("horizon", sa.Integer, nullable=False),
    *(sa.Column(name, sa.Float, nullable=False) for name in QUANTILE_COLUMNS),
    sa.Column("mean", sa.Float, nullable=False),
    text("status"),
    *texts("drivers", "contributions", "reason", wording=True, nullable=True),
    text("data_vintage", wording=True),
    sa.Column("publication", sa.Integer, nullable=False, default=0),
    sa.UniqueConstraint(
        "commodity", "as_of", "destination", "period", "model_version", "publication"
    ),
)

publications: Final = _numbered(
    "publications",
    text("commodity"),
    sa.Column("as_of", UtcMoment, nullable=False),
    text("sha256"),
    sa.Column("rows", sa.Integer, nullable=False),
    *texts("models", "data_vintage", "state"),
    # When the digest was made; NULL where the publisher had no clock.
    *columns(UtcMoment, "frozen_at", "published_at", nullable=True),
    # First month not yet released when it was published.
    sa.Column("ahead_from", sa.Date),
    *texts("made_with", "held_because", "decided_by", "note"),
    # Digest of the panel it rests on; empty where none was stored.
    text("panel"),
    # The rows of a held publication, as JSON; empty for a published one.
    text("payload"),
    # What changed since the publication before it and what may come, as JSON; empty before that
    # was computed.
    text("explanation"),
)

backtests: Final = _numbered(
    "backtests",
    text("commodity"),
    sa.Column("as_of", UtcMoment, nullable=False),
    # Scores, and the forecasts behind them, as JSON.
    *texts("data_vintage", "scores", "cells"),
)

runs: Final = _table(
    "runs",
    sa.Column("run_id", sa.Text, primary_key=True),
    *texts("flow", "commodity"),
    sa.Column("as_of", UtcMoment, nullable=False),
    text("data_vintage"),
    text("model_version", nullable=True),
    text("status"),
    sa.Column("started_at", UtcMoment, nullable=False),
    sa.Column("finished_at", UtcMoment),
)

readings: Final = _numbered(
    "readings",
    *columns(UtcMoment, "measured_at", "as_of"),
    text("monitor"),
    *columns(sa.Float, "value", "bound", nullable=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("fired", sa.Boolean, nullable=False),
    text("words"),
    sa.UniqueConstraint("measured_at", "monitor"),
)

labels: Final = _numbered(
    "labels", *texts("commodity", "label"), sa.Column("available_at", UtcMoment, nullable=False)
)

panels: Final = _table(
    "panels",
    # Of the content: packed JSON, so that a panel of the partner tables takes 0.2 MB.
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

alerts: Final = _table(
    "alerts",
    # By its name in planning.yaml.
    *texts("rule", "commodity", "destination", "measure"),
    *columns(UtcMoment, "as_of", "against"),
    sa.Column("fired", sa.Boolean, nullable=False),
    sa.Column("period", sa.Date),
    *columns(sa.Float, "before", "after", nullable=True),
    text("message"),
    sa.Column("evaluated_at", UtcMoment, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("delivered_at", UtcMoment),
    text("trouble"),
    sa.PrimaryKeyConstraint("rule", "as_of"),
)

_OF_VERSION: Final = (
    "run_id", "folder", "model_version", "as_of", "data_vintage", "recipe", "rolled_back",
    "git_commit", "parameters", "sha256",
)  # fmt: skip

champions: Final = _numbered(
    # Versions of registered models in the order of their promotion; MLflow says which publishes.
    "champions",
    text("name"),
    sa.Column("version", sa.Integer, nullable=False),
    *texts(*_OF_VERSION),
)

REVISION: Final = "0004"
"""Of the tables above: the newest of ``store/migrations``."""
