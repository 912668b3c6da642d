from sqlalchemy import Engine, func, select

from store.facts.commodities import read_labels, save_label
from store.schema.database_tables import labels
from tests.data.builders import at


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
