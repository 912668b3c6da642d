"""A clock that was set back cannot make the store know things earlier."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from sqlalchemy import Engine

from store.errors import DataError
from store.facts.reading import read_observations
from store.facts.writing import write_batch
from store.planning.audit import create_token, read_tokens
from store.publications.integrity import PublicationContext, read_publications
from store.publications.publishing import publish_forecasts
from tests.data.builders import at
from tests.data.store_builders import make_batch, make_forecasts, make_observations

NOW = at("2026-11-27")
WRITES: dict[str, Callable[[Engine, pd.Timestamp], object]] = {
    "ingest": lambda engine, now: write_batch(
        engine, make_batch(make_observations({"destination": "FRA"}), sha256="c" * 64),
        ingested_at=now,
    ),
    "token": lambda engine, now: create_token(engine, name="n", scopes=["read"], at=now),
    "publication": lambda engine, now: publish_forecasts(
        engine, make_forecasts(), as_of=at("2025-01-20"), data_vintage="v",
        context=PublicationContext(at=now),
    ),
}  # fmt: skip


def write_first(engine: Engine) -> None:
    write_batch(engine, make_batch(make_observations()), ingested_at=NOW)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_nothing_is_written_with_the_clock_a_year_early(
    engine: Engine, write: Callable[[Engine, pd.Timestamp], object]
) -> None:
    write_first(engine)

    with pytest.raises(DataError, match=r"clock reads 2025-11-27 .* Set the clock"):
        write(engine, NOW - pd.DateOffset(years=1))

    assert read_observations(engine)["destination"].tolist() == ["USA"]
    assert read_tokens(engine).empty
    assert read_publications(engine).empty


@pytest.mark.slow
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("before", WRITES.values(), ids=WRITES)
def test_every_kind_of_write_is_evidence_of_time_for_every_other(
    engine: Engine,
    before: Callable[[Engine, pd.Timestamp], object],
    write: Callable[[Engine, pd.Timestamp], object],
) -> None:
    before(engine, NOW)

    with pytest.raises(DataError, match="only goes forward"):
        write(engine, NOW - pd.Timedelta(hours=2))


def test_nothing_is_written_with_the_clock_ahead_of_the_provider_that_answered(
    engine: Engine,
) -> None:
    batch = make_batch(make_observations())
    answered = replace(batch, files=tuple(replace(one, asked_at=NOW) for one in batch.files))

    with pytest.raises(DataError, match=r"clock reads 2026-11-29 .* answered at 2026-11-27"):
        write_batch(engine, answered, ingested_at=NOW + pd.Timedelta(days=2))

    write_batch(engine, answered, ingested_at=NOW + pd.Timedelta(hours=23))
    assert len(read_observations(engine)) == 1


def test_no_figure_is_dated_by_a_clock_far_ahead_of_the_newest_write(engine: Engine) -> None:
    write_first(engine)
    stated = make_batch(make_observations({"destination": "FRA"}), sha256="d" * 64)
    undated = replace(
        stated, files=tuple(replace(one, dated_by_clock=True) for one in stated.files)
    )

    with pytest.raises(DataError, match=r"reads 2027-11-27 .* newest write .* 2026-11-27 .*state"):
        write_batch(engine, undated, ingested_at=NOW + pd.DateOffset(years=1))
    assert read_observations(engine)["destination"].tolist() == ["USA"]

    write_batch(engine, undated, ingested_at=NOW + pd.Timedelta(days=62))
    assert len(read_observations(engine)) == 2


def test_a_figure_whose_day_is_stated_is_written_after_a_long_pause(engine: Engine) -> None:
    write_first(engine)

    WRITES["ingest"](engine, NOW + pd.DateOffset(years=1))

    assert len(read_observations(engine)) == 2


def test_what_waited_while_another_process_wrote_is_written(engine: Engine) -> None:
    write_first(engine)

    create_token(engine, name="n", scopes=["read"], at=NOW - pd.Timedelta(minutes=30))

    assert len(read_tokens(engine)) == 1
