import pandas as pd
import pytest
from alembic import command
from sqlalchemy import Engine, column, create_engine, insert, inspect, table, text

from store.database import migration_config, open_store, writing
from store.facts.evidence import data_vintage
from store.facts.reading import read_observations, read_vintages
from store.facts.writing import write_batch
from tests.data.store_builders import make_batch, make_observations

ROW = {
    "commodity": "85051110", "origin": "CHN", "measure": "net_weight_t",
    "period_from": "2025-06-01", "period_to": "2025-06-01", "unit": "t", "half_width": 0.5,
    "kind": "reported", "usable": True, "available_at": "2025-07-20T00:00:00.000000Z",
    "source": "Example News", "source_url": "https://example.org/june", "note": "",
}  # fmt: skip

FIRST_RELEASE_DIGEST = "c6c2e2ed38df6964419caa31b5c1d42adc0d7f3cde8f74b587017a683d086117"
"""What the first release said of these two rows."""


@pytest.fixture
def first_release(empty_url: str) -> str:
    """Address of a database as the first release left it, with two figures and their vintage."""
    plain = create_engine(empty_url)
    figures = table("observations", *map(column, ["destination", "value", *ROW]))
    files = table("vintages", *map(column, ["id", "source", "file_name", "sha256", "rows"]))
    with plain.begin() as connection:
        command.upgrade(migration_config(connection), "0001")
        for destination, value in (("USA", 353.0), ("DEU", 0.1 + 0.2)):
            result = {**ROW, "destination": destination, "value": value}
            connection.execute(insert(figures).values(result))
        connection.execute(
            insert(files).values(
                id=7, source="published_figures", file_name="f.csv", sha256="a" * 64, rows=2
            )
        )
    plain.dispose()
    return empty_url


def test_a_store_of_the_first_release_keeps_every_row_and_its_digest(first_release: str) -> None:
    engine = open_store(first_release)

    expected = make_observations({"destination": "DEU", "value": 0.1 + 0.2}, {})
    pd.testing.assert_frame_equal(read_observations(engine), expected)
    assert data_vintage(engine) == FIRST_RELEASE_DIGEST
    vintage = read_vintages(engine).iloc[0]
    assert (vintage["id"], vintage["rows"], vintage["actor"], vintage["asked"]) == (7, 2, "", "")
    assert pd.isna(vintage["period_from"])
    engine.dispose()


def test_bytes_known_to_the_first_release_are_still_known(first_release: str) -> None:
    engine = open_store(first_release)

    report = write_batch(engine, make_batch(make_observations({"value": 1.0})))

    assert (report.already_known, report.total) == (True, 0)
    engine.dispose()


def test_the_next_vintage_is_numbered_after_those_of_the_first_release(
    first_release: str,
) -> None:
    engine = open_store(first_release)
    if engine.name == "postgresql":
        # The fixture gave the number itself, as no release does.
        with writing(engine) as connection:
            connection.execute(text("SELECT setval('vintages_id_seq', 7)"))

    report = write_batch(engine, make_batch(make_observations(), sha256="b" * 64))

    assert report.vintage_ids == (8,)
    engine.dispose()


def test_going_back_to_the_first_release_keeps_the_rows(first_release: str) -> None:
    engine = open_store(first_release)
    revised = make_observations({"value": 354.0, "available_at": "2025-08-20T00:00:00Z"})
    write_batch(engine, make_batch(revised, sha256="b" * 64))

    with writing(engine) as connection:
        command.downgrade(migration_config(connection), "0001")

    assert "vintage" not in [c["name"] for c in inspect(engine).get_columns("observations")]
    with engine.connect() as connection:
        values = connection.execute(text("SELECT value FROM observations ORDER BY value"))
        assert values.scalars().all() == [0.1 + 0.2, 353.0, 354.0]
    engine.dispose()


@pytest.mark.slow
def test_going_back_keeps_the_first_of_two_ingests_of_the_same_bytes(engine: Engine) -> None:
    for digest in ("a", "b", "a"):
        write_batch(
            engine, make_batch(make_observations(), sha256=digest * 64), skip_unchanged=True,
            ingested_at=pd.Timestamp("2025-09-01", tz="UTC"),
            revised_at=pd.Timestamp("2025-09-01", tz="UTC"),
        )  # fmt: skip
    assert read_vintages(engine)["id"].tolist() == [1, 2, 3]

    with writing(engine) as connection:
        command.downgrade(migration_config(connection), "0001")

    with engine.connect() as connection:
        ids = connection.execute(text("SELECT id FROM vintages ORDER BY id")).scalars().all()
    assert ids == [1, 2]


def test_rows_of_a_commodity_lie_side_by_side_on_sqlite() -> None:
    engine = open_store("sqlite://")

    with engine.connect() as connection:
        made = connection.execute(
            text("SELECT sql FROM sqlite_master WHERE name = 'observations'")
        ).scalar_one()

    assert made.rstrip().endswith("WITHOUT ROWID")
    assert "PRIMARY KEY (commodity, origin, destination, measure, period_from" in made
    engine.dispose()
