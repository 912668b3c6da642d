"""What was published before there was a commodity stays, and is the magnets'."""

from pathlib import Path

import pandas as pd
from alembic import command
from sqlalchemy import Engine, create_engine, text

from store.database import migration_config, open_store, writing
from store.publishing import publish_forecasts
from store.reading import latest_forecast, read_forecasts, read_scores
from tests.data.store_builders import make_forecasts

APRIL = pd.Timestamp("2025-04-10", tz="UTC")

FORECAST = (
    "INSERT INTO forecasts (id, as_of, destination, period, model_version, cutoff, horizon, p05, "
    "p10, p25, p50, p75, p90, p95, mean, status, data_vintage) VALUES (7, "
    "'2025-04-10T00:00:00.000000Z', 'USA', '2025-04-01', 'old', '2025-03-01', 1, 10, 20, 30, 40, "
    "50, 60, 70, 40, 'champion', 'f00d')"
)
SCORE = (
    "INSERT INTO scores VALUES ('2025-04-10T00:00:00.000000Z', 'old', 'ALL', 1, 6, 'mae', 12.5, 60)"
)


def older(path: Path) -> Engine:
    """Make a store of the release before, with a forecast and a score."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(migration_config(connection), "0003-1")
        connection.execute(text(FORECAST))
        connection.execute(text(SCORE))
    return engine


def test_what_was_published_before_is_the_magnets(tmp_path: Path) -> None:
    older(tmp_path / "store.db").dispose()

    engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")

    assert read_forecasts(engine)[["commodity", "model", "p50"]].to_numpy().tolist() == [
        ["85051110", "old", 40.0]
    ]
    assert read_scores(engine)[["commodity", "value"]].to_numpy().tolist() == [["85051110", 12.5]]
    engine.dispose()


def test_what_is_published_after_the_migration_is_newer(tmp_path: Path) -> None:
    older(tmp_path / "store.db").dispose()
    engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")

    publish_forecasts(engine, make_forecasts({"model": "new"}), as_of=APRIL, data_vintage="f00d")

    assert latest_forecast(engine)["model"].tolist() == ["new"]
    engine.dispose()


def test_going_back_keeps_the_magnets_alone(tmp_path: Path) -> None:
    older(tmp_path / "store.db").dispose()
    engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    publish_forecasts(
        engine, make_forecasts(), as_of=APRIL, data_vintage="f00d", commodity="850511"
    )

    with writing(engine) as connection:
        command.downgrade(migration_config(connection), "0003-1")

    with engine.connect() as connection:
        names = connection.execute(text("SELECT model_version FROM forecasts")).scalars().all()
    assert names == ["old"]
    engine.dispose()
