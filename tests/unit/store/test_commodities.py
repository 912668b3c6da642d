from sqlalchemy import Engine, func, select

from store.facts.commodities import read_labels, read_partner_counts, save_label
from store.facts.writing import write_batch
from store.schema.database_tables import labels
from tests.data.builders import at
from tests.data.store_builders import make_batch, make_observations


def test_destinations_of_the_fullest_month_are_counted_by_commodity_and_source(
    engine: Engine,
) -> None:
    rows = make_observations(
        {},
        {"destination": "DEU"},
        {"destination": "DEU", "period_from": "2025-05-01", "period_to": "2025-05-01"},
        {"destination": "JPN", "available_at": "2025-09-01T00:00:00Z"},
        {"destination": "KOR", "period_from": "2025-05-01"},
        {"destination": "ITA", "usable": False},
        {"commodity": "850511", "source": "comtrade"},
    )
    write_batch(engine, make_batch(rows))

    found = read_partner_counts(engine, as_of=at("2025-08-01"))

    assert found.to_numpy().tolist() == [["850511", "comtrade", 1], ["85051110", "Example News", 2]]
    assert read_partner_counts(engine)["destinations"].tolist() == [1, 3]


def test_the_label_reported_last_counts_and_an_empty_one_states_nothing(engine: Engine) -> None:
    result = [
        save_label(engine, "811292", label, at=at("2026-11-25"))
        for label in ("gallium", "gallium", "", "unwrought gallium")
    ]

    with engine.connect() as connection:
        assert read_labels(connection) == {"811292": "unwrought gallium"}
        assert connection.scalar(select(func.count()).select_from(labels)) == 2
    assert result == [True, False, False, True]
    assert read_labels(engine) == {"811292": "unwrought gallium"}
