from collections.abc import Mapping

import pandas as pd
from sqlalchemy import Engine

from store.facts.batch import Batch, FileRows, WriteReport
from store.facts.reading import read_observations, read_tariffs, read_vintages
from store.facts.writing import write_batch
from tests.data.store_builders import make_batch, make_observations, make_steps

SEPTEMBER = pd.Timestamp("2025-09-01T12:00", tz="UTC")
OCTOBER = pd.Timestamp("2025-10-01T12:00", tz="UTC")
AUGUST_20 = "2025-08-20T00:00:00Z"


def fetch(
    engine: Engine, *changes: Mapping[str, object], sha: str, moment: pd.Timestamp = SEPTEMBER
) -> WriteReport:
    batch = make_batch(make_observations(*changes), sha256=sha * 64)
    return write_batch(engine, batch, ingested_at=moment, revises=True)


def versions(engine: Engine) -> list[tuple[str, float]]:
    rows = read_observations(engine)
    return [(f"{r.available_at:%Y-%m-%d %H}", r.value) for r in rows.itertuples(index=False)]


def test_what_is_known_is_not_written_again_under_a_later_date(engine: Engine) -> None:
    fetch(engine, {}, sha="a")

    report = fetch(engine, {"available_at": AUGUST_20}, {"destination": "DEU"}, sha="b")

    assert report.rows_written == {"observations": 1}
    assert read_observations(engine)["destination"].tolist() == ["DEU", "USA"]


def test_a_file_with_all_its_versions_is_written_whole_and_once(engine: Engine) -> None:
    history = (
        {}, {"available_at": AUGUST_20, "value": 354.0}, {"available_at": "2025-09-20T00:00:00Z"},
        {"available_at": "2025-10-20T00:00:00Z"},
    )  # fmt: skip
    fetch(engine, *history, sha="a")

    again = fetch(engine, *history, sha="b")

    assert again.total == 0
    assert versions(engine) == [
        ("2025-07-20 00", 353.0), ("2025-08-20 00", 354.0), ("2025-09-20 00", 353.0),
    ]  # fmt: skip


def test_a_silent_revision_counts_from_the_fetch(engine: Engine) -> None:
    fetch(engine, {}, {"destination": "DEU"}, sha="a", moment=SEPTEMBER)

    report = fetch(engine, {"value": 354.0}, {"destination": "DEU"}, sha="b", moment=OCTOBER)

    assert report.rows_written == {"observations": 1}
    rows = read_observations(engine)
    assert rows["destination"].tolist() == ["DEU", "USA", "USA"]
    assert rows["value"].tolist() == [353.0, 353.0, 354.0]
    assert rows["available_at"].tolist()[1:] == [pd.Timestamp("2025-07-20", tz="UTC"), OCTOBER]


def test_a_revision_the_provider_dated_keeps_its_date(engine: Engine) -> None:
    fetch(engine, {}, sha="a", moment=SEPTEMBER)

    fetch(engine, {"value": 354.0, "available_at": AUGUST_20}, sha="b", moment=OCTOBER)

    assert versions(engine) == [("2025-07-20 00", 353.0), ("2025-08-20 00", 354.0)]


def test_a_provider_that_goes_back_to_an_old_answer_is_believed(engine: Engine) -> None:
    fetch(engine, {}, sha="a", moment=SEPTEMBER)
    fetch(engine, {"value": 1.0}, sha="b", moment=OCTOBER)

    back = fetch(engine, {}, sha="a", moment=OCTOBER + pd.Timedelta(days=1))
    again = fetch(engine, {}, sha="a", moment=OCTOBER + pd.Timedelta(days=2))

    assert (back.total, back.already_known) == (1, False)
    assert (again.total, again.already_known) == (0, True)
    assert versions(engine) == [
        ("2025-07-20 00", 353.0), ("2025-10-01 12", 1.0), ("2025-10-02 12", 353.0),
    ]  # fmt: skip


def test_tariffs_know_their_news_too(engine: Engine) -> None:
    def ingest(sha: str, later: str, value: float) -> WriteReport:
        tables = {"tariff_steps": make_steps({"available_at": later, "rate_pct": value})}
        return write_batch(
            engine,
            Batch((FileRows("hts", "hts", sha * 64, tables),)),
            ingested_at=OCTOBER,
            revises=True,
        )

    first = ingest("a", "2025-07-01T00:00:00Z", 7.1)
    same = ingest("b", "2025-08-01T00:00:00Z", 7.1)
    other = ingest("c", "2025-09-01T00:00:00Z", 7.2)

    assert [report.total for report in (first, same, other)] == [1, 0, 1]
    assert read_tariffs(engine)["rate_pct"].tolist() == [7.1, 7.2]
    known = read_tariffs(engine, as_of=pd.Timestamp("2025-08-31", tz="UTC"))
    assert known["rate_pct"].tolist() == [7.1]


def test_every_ingest_is_a_vintage_with_range_and_actor_even_without_news(engine: Engine) -> None:
    long = {"period_from": "2025-01-01", "period_to": "2025-08-01"}
    batch = make_batch(make_observations({}, long))
    first = write_batch(engine, batch, ingested_at=SEPTEMBER, actor="timer", revises=True)
    later = make_batch(make_observations({"available_at": AUGUST_20}), sha256="b" * 64)
    second = write_batch(engine, later, ingested_at=OCTOBER, actor="ada", revises=True)

    assert (first.vintage_ids, second.vintage_ids, second.total) == ((1,), (2,), 0)
    listed = read_vintages(engine)
    assert listed["id"].tolist() == [1, 2]
    assert set(listed["source"] + " " + listed["file_name"]) == {"published_figures f.csv"}
    assert listed["ingested_at"].tolist() == [SEPTEMBER, OCTOBER]
    assert listed["actor"].tolist() == ["timer", "ada"]
    assert listed["rows"].tolist() == [2, 1]
    spans = [list(listed[name].dt.strftime("%Y-%m")) for name in ("period_from", "period_to")]
    assert spans == [["2025-01", "2025-06"], ["2025-08", "2025-06"]]
