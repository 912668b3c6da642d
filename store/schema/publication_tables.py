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

from store.schema.columns import UtcMoment, columns, serial, text, texts
from store.schema.tables import metadata
from store.vocabulary import QUANTILE_COLUMNS

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
    # Number of the publication; 0 where it is older than their record.
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

SCORE: Final = ("model", "scope", "horizon_from", "horizon_to", "metric")
"""Columns that name a score within a backtest."""

scores: Final = Table(
    "scores",
    metadata,
    text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    # Number of the backtest among those of this moment: 1, 2, ...
    Column("backtest", Integer, nullable=False),
    *texts("data_vintage", "model", "scope"),
    *columns(Integer, "horizon_from", "horizon_to"),
    text("metric"),
    Column("value", Float, nullable=False),
    Column("cells", Integer, nullable=False),
    PrimaryKeyConstraint("commodity", "as_of", "backtest", *SCORE),
)

backtests: Final = Table(
    "backtests",
    metadata,
    text("commodity"),
    Column("as_of", UtcMoment, nullable=False),
    # As in the scores.
    Column("backtest", Integer, nullable=False),
    # The forecasts behind the scores, as JSON.
    text("cells"),
    PrimaryKeyConstraint("commodity", "as_of", "backtest"),
)

runs: Final = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    *texts("flow", "commodity"),
    Column("as_of", UtcMoment, nullable=False),
    text("data_vintage"),
    *texts("model_version", "git_commit", "mlflow_run_id", nullable=True),
    text("status"),
    Column("started_at", UtcMoment, nullable=False),
    Column("finished_at", UtcMoment),
)

readings: Final = Table(
    "readings",
    metadata,
    serial(),
    *columns(UtcMoment, "measured_at", "as_of"),
    *texts("monitor", "subject"),
    *columns(Float, "value", "bound", nullable=True),
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
    serial(),
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
    *columns(Float, "residual_t", "z", "weight"),
    Column("source_url", Text, nullable=False),
    PrimaryKeyConstraint("panel", "place"),
)
