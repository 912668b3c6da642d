"""Tables of publications, the panels behind them, scores, runs, monitors and labels.

Rows of ``runs`` and ``publications`` are updated; others are only added. A panel is identified by
the digest of its content, so publications with equal panels share one; its months refer to it by
a number, which is shorter.
"""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Float,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from store.schema.columns import BOOKKEEPING, WORDING, UtcMoment, text
from store.schema.tables import metadata
from store.vocabulary import QUANTILE_COLUMNS

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
