from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import pytest
from sqlalchemy import Engine

from store.errors import DataError
from store.facts.batch import FileRows
from store.facts.reading import read_observations, read_tariffs, read_vintages
from store.facts.reviews import quarantine_file, read_quarantine, release
from store.facts.writing import write_batch
from store.publications.publication_rows import read_published
from tests.data.store_builders import make_batch, make_file, make_observations, make_steps

AUGUST = pd.Timestamp("2025-08-01T10:00", tz="UTC")
SEPTEMBER = pd.Timestamp("2025-09-01T10:00", tz="UTC")
REASONS = ("14 of 652 rows.", "Germany: «kg» looks like tonnes.")


def refuse(engine: Engine, *changes: Mapping[str, object], sha: str = "a") -> int:
    file = replace(
        make_file(make_observations(*changes), sha256=sha * 64), asked="imports, 2025-06"
    )
    return quarantine_file(engine, file, reasons=REASONS, at=AUGUST, actor="timer")


def test_a_refused_file_is_kept_whole_until_it_is_released(engine: Engine) -> None:
    rows = make_observations({"value": 0.1 + 0.2, "note": "tab\tand\nline; ünïcode"})
    rates = make_steps({})
    file = FileRows("census", "f", "a" * 64, {"observations": rows, "tariff_steps": rates}, ("x",))

    number = quarantine_file(engine, file, reasons=REASONS, at=AUGUST, actor="timer")
    before = (read_observations(engine), read_vintages(engine))
    release(engine, number, at=SEPTEMBER, actor="ada")

    assert all(frame.empty for frame in before)
    pd.testing.assert_frame_equal(read_observations(engine), rows)
    pd.testing.assert_frame_equal(read_tariffs(engine), rates)


def test_the_quarantine_lists_what_waits(engine: Engine) -> None:
    assert (refuse(engine), refuse(engine, sha="b")) == (1, 2)

    listed = read_quarantine(engine)

    assert listed["id"].tolist() == [1, 2]
    assert listed["reasons"][0] == "14 of 652 rows.; Germany: «kg» looks like tonnes."
    assert listed["quarantined_at"].tolist() == [AUGUST, AUGUST]
    assert listed["actor"].tolist() == ["timer", "timer"]
    shown = read_published(engine).quarantine
    pd.testing.assert_frame_equal(shown, listed[list(shown)])
    assert listed["released_at"].isna().all()
    assert "payload" not in listed


def test_a_release_writes_the_rows_as_an_ingest_and_notes_who(engine: Engine) -> None:
    number = refuse(engine)

    report = release(engine, number, at=SEPTEMBER, actor="ada")

    assert (report.rows_written, report.vintage_ids) == ({"observations": 1}, (1,))
    assert read_observations(engine)["value"].tolist() == [353.0]
    vintage = read_vintages(engine).iloc[0]
    assert (vintage["actor"], vintage["ingested_at"]) == ("ada", SEPTEMBER)
    entry = read_quarantine(engine).iloc[0]
    assert (entry["released_by"], entry["released_at"]) == ("ada", SEPTEMBER)
    assert (entry["asked"], vintage["asked"]) == ("imports, 2025-06", "imports, 2025-06")


def test_a_silent_revision_in_quarantine_counts_from_its_fetch(engine: Engine) -> None:
    write_batch(engine, make_batch(make_observations(), sha256="b" * 64))
    file = make_file(make_observations({"value": 354.0}))
    number = quarantine_file(engine, file, reasons=REASONS, at=AUGUST, actor="timer", revises=True)

    release(engine, number, at=SEPTEMBER, actor="ada")

    rows = read_observations(engine)
    assert rows["value"].tolist() == [353.0, 354.0]
    assert rows["available_at"].tolist()[1] == AUGUST


def test_a_file_that_breaks_its_contract_stays_where_it_is(engine: Engine) -> None:
    number = refuse(engine, {"destination": "DEU"}, {"value": -5.0})

    with pytest.raises(DataError, match="a level or share lies outside"):
        release(engine, number, at=SEPTEMBER, actor="ada")

    assert read_observations(engine).empty
    assert read_vintages(engine).empty
    assert read_quarantine(engine)["released_at"].isna().all()


def test_an_unknown_number_is_named_with_those_that_wait(engine: Engine) -> None:
    refuse(engine)

    with pytest.raises(DataError, match=r"File 9 is unknown .* one that waits: 1\. See"):
        release(engine, 9, at=SEPTEMBER, actor="ada")
