"""Which lists of partners are the world."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine

from flows.ingest.world_sums import with_world
from store.database import open_store
from store.facts.batch import FileRows
from store.facts.writing import write_batch
from store.partner_codes import partner_codes
from store.publications.publication_writing import PublicationContext, publish_forecasts
from tests.data.builders import at
from tests.data.store_builders import make_batch, make_forecasts, make_observations

NOW = at("2025-08-25")
SMALL = [p.destination for p in partner_codes() if p.destination not in {"DEU", "USA", "CHN"}][:30]


@pytest.fixture
def known(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    """A store with half a year of Germany and the USA."""
    shutil.copy(sqlite_template, tmp_path / "store.db")
    engine = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    months = [f"2024-{month:02d}-01" for month in range(1, 7)]
    rows = [
        {"destination": name, "period_from": month, "period_to": month, "value": 500.0}
        for name in ("DEU", "USA")
        for month in months
    ]
    write_batch(engine, make_batch(make_observations(*rows)))
    yield engine
    engine.dispose()


def listed(*names: str, small: float = 0.5, partial: bool = False) -> FileRows:
    tonnes = {**dict.fromkeys(SMALL, 40.0), **dict.fromkeys(names, 600.0), "CHL": small}
    rows = [
        {"destination": name, "period_from": "2025-06-01", "period_to": "2025-06-01", "value": t}
        for name, t in tonnes.items()
    ]
    tables = {"observations": make_observations(*rows)}
    return FileRows("customs", "a.csv", "0", tables, lists_partners=not partial)


def worlds(file: FileRows) -> list[float]:
    rows = file.tables["observations"]
    return rows.loc[rows["destination"].eq("WLD"), "value"].tolist()


def test_a_list_of_all_partners_is_the_world_from_which_forecasts_then_start(known: Engine) -> None:
    file = with_world(whole := listed("DEU", "USA"), known, as_of=NOW)

    assert worlds(file) == [pytest.approx(whole.tables["observations"]["value"].sum())]
    assert file.tables["observations"]["note"].iloc[-1] == "sum of 33 partners"
    assert file.world == ("taken as the world's total: 2025-06; forecasts start after 2025-06",)


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (listed(), "it lacks DEU; USA, which always had trade"),
        (listed("USA"), "it lacks DEU, which always had trade"),
        (listed("DEU", "USA", small=9.0), "it lacks small partners, the least has 9.0 t"),
    ],
)
def test_a_list_that_lacks_partners_is_no_world_and_says_which(
    known: Engine, file: FileRows, why: str
) -> None:
    told = with_world(file, known, as_of=NOW)

    assert worlds(told) == []
    assert len(told.tables["observations"]) == len(file.tables["observations"])
    assert told.world == (f"not taken: 2025-06, {why}",)


def test_a_sum_outside_the_worlds_own_forecast_is_no_world(known: Engine) -> None:
    forecasts = make_forecasts()
    first = forecasts["destination"].eq(forecasts["destination"].iloc[0])
    forecasts = forecasts[first].assign(destination="WLD")
    publish_forecasts(
        known,
        forecasts,
        as_of=at("2025-01-20"),
        data_vintage="f",
        context=PublicationContext(at=NOW),
    )
    month = pd.Timestamp(forecasts["period"].iloc[0])
    median = forecasts["p50"].iloc[0]
    file = listed("DEU", "USA")
    rows = file.tables["observations"].assign(period_from=month, period_to=month)
    rows["value"] *= 20 * median / rows["value"].sum()
    far = FileRows("customs", "a.csv", "0", {"observations": rows}, lists_partners=True)

    told = with_world(far, known, as_of=NOW)

    assert worlds(told) == []
    assert "lie outside the band of the world's own forecast" in told.world[0]


def test_some_partners_say_nothing_of_the_world(known: Engine) -> None:
    file = with_world(listed("DEU", "USA", partial=True), known, as_of=NOW)

    assert (worlds(file), file.world) == ([], ())
