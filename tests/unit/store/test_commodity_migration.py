"""What was published before there was a commodity stays, and is the magnets'."""

from collections.abc import Iterator

import pandas as pd
import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, text

from store.database import migration_config, open_store, writing
from store.facts.reading import latest_forecast, read_forecasts, read_scores
from store.publications.publishing import publish_forecasts
from tests.data.store_builders import make_forecasts

APRIL = pd.Timestamp("2025-04-10", tz="UTC")

BEFORE = "0002"

FORECAST = (
    "INSERT INTO forecasts (as_of, destination, period, model_version, cutoff, horizon, p05, "
    "p10, p25, p50, p75, p90, p95, mean, status, data_vintage) VALUES ("
    "'2025-04-10T00:00:00.000000Z', 'USA', '2025-04-01', 'old', '2025-03-01', 1, 10, 20, 30, 40, "
    "50, 60, 70, 40, 'champion', 'f00d')"
)
SCORE = (
    "INSERT INTO scores VALUES ('2025-04-10T00:00:00.000000Z', 'old', 'ALL', 1, 6, 'mae', 12.5, 60)"
)


@pytest.fixture
def migrated(empty_url: str) -> Iterator[Engine]:
    """A store of the release before with a forecast and a score, opened by this one."""
    older = create_engine(empty_url)
    with older.begin() as connection:
        command.upgrade(migration_config(connection), BEFORE)
        connection.execute(text(FORECAST))
        connection.execute(text(SCORE))
    older.dispose()
    engine = open_store(empty_url)
    yield engine
    engine.dispose()


def test_what_was_published_before_there_were_parts_has_none(migrated: Engine) -> None:
    assert read_forecasts(migrated)["contributions"].isna().all()


def test_what_was_published_before_is_the_magnets(migrated: Engine) -> None:
    forecasts, scores = read_forecasts(migrated), read_scores(migrated)

    assert forecasts[["commodity", "as_of", "model", "p50"]].to_numpy().tolist() == [
        ["85051110", APRIL, "old", 40.0]
    ]
    assert scores[["commodity", "value"]].to_numpy().tolist() == [["85051110", 12.5]]


@pytest.mark.slow
def test_what_is_published_after_the_migration_is_newer(migrated: Engine) -> None:
    publish_forecasts(migrated, make_forecasts({"model": "new"}), as_of=APRIL, data_vintage="f00d")

    assert latest_forecast(migrated)["model"].tolist() == ["new"]


def test_a_published_forecast_reported_again_is_still_no_news(migrated: Engine) -> None:
    again = make_forecasts({"model": "old"})

    assert publish_forecasts(migrated, again, as_of=APRIL, data_vintage="f00d") == 0


def test_going_back_keeps_the_magnets_alone(migrated: Engine) -> None:
    publish_forecasts(
        migrated, make_forecasts(), as_of=APRIL, data_vintage="f00d", commodity="850511"
    )

    with writing(migrated) as connection:
        command.downgrade(migration_config(connection), BEFORE)

    with migrated.connect() as connection:
        names = connection.execute(text("SELECT model_version FROM forecasts")).scalars().all()
        scores = connection.execute(text("SELECT value FROM scores")).scalars().all()
    assert (names, scores) == (["old"], [12.5])
