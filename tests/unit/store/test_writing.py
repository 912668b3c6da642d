from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pandas as pd
import pytest
from sqlalchemy import Engine, event

from store.database import open_store, writing
from store.errors import DataError
from store.facts.batch import Batch
from store.facts.reading import read_observations, read_vintages
from store.facts.writing import Ingest, write_batch, write_within
from tests.data.store_builders import make_batch, make_file, make_observations


def test_a_batch_is_written_with_its_vintage(engine: Engine) -> None:
    rows = make_observations({}, {"destination": "DEU", "available_at": "2025-07-21T00:00:00Z"})

    report = write_batch(engine, make_batch(rows), ingested_at=pd.Timestamp("2025-08-01", tz="UTC"))

    assert (report.rows_written, report.already_known) == ({"observations": 2}, False)
    vintage = read_vintages(engine).iloc[0]
    assert (vintage["source"], vintage["file_name"], vintage["rows"]) == (
        "published_figures", "f.csv", 2,
    )  # fmt: skip
    assert vintage["ingested_at"] == pd.Timestamp("2025-08-01", tz="UTC")


def test_the_same_bytes_again_are_a_no_op_that_states_so(engine: Engine) -> None:
    write_batch(engine, make_batch(make_observations()))

    again = write_batch(engine, make_batch(make_observations()))

    assert (again.total, again.already_known) == (0, True)
    assert (len(read_observations(engine)), len(read_vintages(engine))) == (1, 1)


def test_a_changed_number_under_a_known_key_stops_the_batch(engine: Engine) -> None:
    write_batch(engine, make_batch(make_observations()))
    changed = make_observations({"destination": "DEU"}, {"value": 354.0})

    with pytest.raises(DataError, match=r"destination=USA.*value 353\.0 against 354\.0"):
        write_batch(engine, make_batch(changed, sha256="b" * 64))

    assert read_observations(engine)["value"].tolist() == [353.0]
    assert len(read_vintages(engine)) == 1


def test_a_revision_with_its_own_day_is_kept_beside_the_first(engine: Engine) -> None:
    write_batch(engine, make_batch(make_observations()))
    revised = make_observations({"value": 354.0, "available_at": "2025-08-20T00:00:00Z"})

    write_batch(engine, make_batch(revised, sha256="b" * 64))

    assert read_observations(engine)["value"].tolist() == [353.0, 354.0]


def test_a_bad_second_file_keeps_the_first_out_too(engine: Engine) -> None:
    good = make_file(make_observations(), name="good.csv")
    clash = make_file(make_observations({"value": 1.0}), sha256="b" * 64, name="bad.csv")

    with pytest.raises(DataError, match=r"bad\.csv"):
        write_batch(engine, Batch((good, clash)))

    assert read_observations(engine).empty
    assert read_vintages(engine).empty


def test_any_text_comes_back_as_it_was(engine: Engine) -> None:
    notes = ("", "\"quoted\", 'so'", "back\\slash \\N \\.", "tab\tand\nline\r\n", "ünïcode 磁体 🧲")
    rows = make_observations(*({"note": note, "source_url": note} for note in notes))

    write_batch(engine, make_batch(rows))

    pd.testing.assert_frame_equal(read_observations(engine), rows)


def test_an_exception_halfway_leaves_nothing_and_the_store_usable(engine: Engine) -> None:
    checked = [(make_file(make_observations()), {"observations": make_observations()})]

    def write_and_fail() -> None:
        with writing(engine) as connection:
            assert write_within(connection, checked, Ingest()).total == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()

    assert read_observations(engine).empty
    assert read_vintages(engine).empty
    assert write_batch(engine, make_batch(make_observations())).total == 1


def test_two_writers_at_once_both_succeed_and_write_a_row_once(engine: Engine) -> None:
    both_ready = Barrier(2)

    def write(number: int) -> int:
        file = make_file(
            make_observations({}, {"destination": f"X{number}"}), sha256=str(number) * 64
        )
        both_ready.wait(300)
        return write_batch(engine, Batch((file,))).total

    with ThreadPoolExecutor(2) as pool:
        written = sorted(pool.map(write, (1, 2)))

    assert written == [1, 2]
    assert read_observations(engine)["destination"].tolist() == ["USA", "X1", "X2"]
    assert read_vintages(engine)["id"].tolist() == [1, 2]


def test_looking_up_stored_rows_searches_by_key_and_reads_no_whole_table() -> None:
    engine = open_store("sqlite://")
    write_batch(engine, make_batch(make_observations()))
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *call: asked.append(call[2]))

    write_batch(
        engine,
        make_batch(make_observations({"value": 1.0, "destination": "DEU"}), sha256="b" * 64),
        revises=True,
        ingested_at=pd.Timestamp("2025-09-01", tz="UTC"),
    )

    [query] = [statement for statement in asked if "CROSS JOIN observations" in statement]
    with writing(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE staged_rows AS SELECT * FROM observations"
        )
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    assert plan[0] == "SCAN s"
    assert plan[1].startswith("SEARCH t USING ")
    assert "commodity=? AND origin=? AND destination=? AND measure=?" in plan[1]
    engine.dispose()


@pytest.mark.slow
def test_more_rows_than_one_statement_carries_are_all_written(engine: Engine) -> None:
    one = make_observations()
    many = pd.concat([one] * 12_001, ignore_index=True)
    many["source_url"] = [f"https://example.org/{number}" for number in range(len(many))]

    assert write_batch(engine, make_batch(many)).total == 12_001


def test_rows_that_break_their_schema_are_not_written(untouched: Engine) -> None:
    with pytest.raises(DataError, match="is not finite"):
        write_batch(untouched, make_batch(make_observations({"value": float("inf")})))

    assert read_vintages(untouched).empty
