import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.bundled.notation import end_of_month
from sources.bundled.release_calendar import ReleaseCalendar, latest_plausible_day, stated_day
from store.database import open_store
from store.facts.commodities import evidence_digests
from store.facts.reading import read_observations
from store.facts.writing import write_batch
from tests.data.store_builders import make_batch, make_observations
from tests.examples import few

MONTHS = st.dates(pd.Timestamp("2016-01-01").date(), pd.Timestamp("2030-12-31").date()).map(
    lambda day: pd.Timestamp(day).replace(day=1)
)
DAYS = st.dates(pd.Timestamp("2015-01-01").date(), pd.Timestamp("2031-12-31").date())
STATED = st.one_of(
    st.just(""), DAYS.map(str), DAYS.map(lambda d: f"{d:%Y-%m}"), DAYS.map(lambda d: f"{d:%Y}")
)
FIGURES = st.lists(
    st.fixed_dictionaries(
        {
            "destination": st.sampled_from(["USA", "DEU", "JPN"]),
            "available_at": DAYS.map(lambda day: f"{day}T00:00:00Z"),
            "value": st.floats(0, 1e6, allow_subnormal=False),
        }
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: (row["destination"], row["available_at"]),
)


@given(STATED, MONTHS)
def test_no_figure_is_known_before_it_is_stated_or_before_its_period_ends(
    published_on: str, last_period: pd.Timestamp
) -> None:
    day = latest_plausible_day(published_on, last_period, ReleaseCalendar({}))

    assert day > end_of_month(last_period)
    stated = stated_day(published_on)
    assert stated is None or day >= stated


@cache
def empty_store() -> bytes:
    """Return a database with every table and no row: to migrate takes longer than all else."""
    with TemporaryDirectory() as folder:
        database = Path(folder) / "empty.db"
        open_store(f"sqlite:///{database}").dispose()
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
        return database.read_bytes()


@pytest.mark.slow
@few(25)
@given(FIGURES, st.randoms(use_true_random=False), DAYS)
def test_what_is_read_depends_neither_on_writing_order_nor_on_later_rows(
    figures: list[dict[str, object]], random: object, day: object
) -> None:
    as_of = pd.Timestamp(str(day), tz="UTC")
    rows = make_observations(*figures)
    shuffled = rows.sample(frac=1, random_state=random.randrange(2**32))
    known_only = rows[rows["available_at"] <= as_of]

    with TemporaryDirectory() as folder:
        views = []
        for number, frame in enumerate((rows, shuffled, known_only)):
            database = Path(folder) / f"{number}.db"
            database.write_bytes(empty_store())
            engine = open_store(f"sqlite:///{database}")
            write_batch(engine, make_batch(frame))
            seen = read_observations(engine, as_of=as_of)
            views.append((seen, evidence_digests(engine, as_of=as_of).digest))
            engine.dispose()

    for frame, digest in views[1:]:
        pd.testing.assert_frame_equal(frame, views[0][0])
        assert digest == views[0][1]
