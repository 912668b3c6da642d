from collections.abc import Callable

import pandas as pd
import pytest
from sqlalchemy import Engine

from store.errors import DataError
from store.facts.writing import write_batch
from store.publications.publication_writing import PublicationContext, publish_forecasts
from tests.data.builders import at
from tests.data.store_builders import make_batch, make_forecasts, make_observations

NOW = at("2026-11-27")
Write = Callable[[Engine, pd.Timestamp, str], object]
WRITES: dict[str, Write] = {
    "vintages": lambda engine, now, name: write_batch(
        engine, make_batch(make_observations({"destination": name}), sha256=name * 21 + "a"),
        ingested_at=now,
    ),
    "publications": lambda engine, now, name: publish_forecasts(
        engine, make_forecasts(), as_of=at("2025-01-20"),
        data_vintage=name, context=PublicationContext(at=now),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("table", "write"), WRITES.items(), ids=WRITES)
def test_a_write_before_the_newest_of_its_table_is_refused(
    engine: Engine, table: str, write: Write
) -> None:
    write(engine, NOW, "FRA")
    write(engine, NOW - pd.Timedelta(seconds=59), "DEU")

    for minutes in (2, 61):
        with pytest.raises(
            DataError, match=rf"newest row of {table} is of 2026-11-27 00:00:00.*magnetcast restore"
        ):
            write(engine, NOW - pd.Timedelta(minutes=minutes), "JPN")


def test_a_late_clock_of_one_table_stops_no_write_to_another(engine: Engine) -> None:
    WRITES["vintages"](engine, NOW, "FRA")

    WRITES["publications"](engine, NOW - pd.Timedelta(days=1), "DEU")
