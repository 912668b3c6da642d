import io
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine

from features.panel.mirror import GAP_COLUMNS
from flows.context.provenance import actor
from flows.context.stores import made_store
from store.facts.batch import Batch, FileRows
from store.facts.reading import read_observations, read_vintages
from store.facts.reviews import quarantine_file, read_quarantine
from store.facts.writing import write_batch
from store.settings import Settings
from tests.data.builders import make_levels
from tests.data.mirror_builders import PARTNERS, changed, make_records, with_records
from tests.data.store_builders import make_observations

Call = Callable[..., tuple[int, str, str]]

AUGUST = pd.Timestamp("2025-08-01T10:00", tz="UTC")
REVISED = {"value": 354.5, "available_at": "2025-08-20T00:00:00Z"}


@pytest.fixture
def engine(place: Path) -> Engine:  # noqa: ARG001 - sets the environment
    """Open the store the commands of this test see."""
    return made_store(Settings())


def fetched(*changes: dict[str, object], sha: str) -> FileRows:
    rows = make_observations(*({"source": "comtrade", **change} for change in changes))
    return FileRows("comtrade", "comtrade X", sha * 64, {"observations": rows})


@pytest.fixture
def two_fetches(engine: Engine) -> None:
    """Ingest a figure and the world, then the revision of both with a new figure beside."""
    new = {**REVISED, "destination": "JPN", "value": 12.0}
    world = {"destination": "WLD"}
    for sha, changes in (("a", ({}, world)), ("b", (REVISED, new, REVISED | world))):
        batch = Batch((fetched(*changes, sha=sha),))
        write_batch(engine, batch, ingested_at=AUGUST, actor="timer", revises=True)


@pytest.fixture
def refused(engine: Engine) -> int:
    """Put a file with one good row aside."""
    file = fetched({}, sha="c")
    return quarantine_file(engine, file, reasons=("1 of 652 rows.",), at=AUGUST, actor="timer")


@pytest.mark.usefixtures("two_fetches")
def test_vintages_lists_every_ingest_with_who_and_what(magnetcast: Call) -> None:
    code, out, err = magnetcast("data", "vintages", "--format", "csv")

    listed = pd.read_csv(io.StringIO(out))
    assert (code, err) == (0, "")
    assert listed["id"].tolist() == [1, 2]
    assert listed["rows"].tolist() == [2, 3]
    assert listed["actor"].tolist() == ["timer", "timer"]
    assert listed["ingested_at"].tolist() == ["2025-08-01T10:00:00Z"] * 2
    assert listed["period_from"].tolist() == ["2025-06-01"] * 2
    assert listed["sha256"].tolist() == ["a" * 64, "b" * 64]


@pytest.mark.usefixtures("two_fetches")
def test_diff_tells_what_changed_in_tonnes(magnetcast: Call, tmp_path: Path) -> None:
    out_file = tmp_path / "deep" / "diff.json"

    code, out, err = magnetcast(
        "data", "diff", "1", "2", "--format", "json", "--out", str(out_file)
    )

    rows = json.loads(out_file.read_text(encoding="utf-8"))
    assert (code, out) == (0, "")
    assert "2 revised, 1 new; revisions in tonnes add up to +1.5 t" in err
    assert [(row["destination"], row["before"], row["after"], row["change"]) for row in rows] == [
        ("JPN", None, 12.0, None), ("USA", 353.0, 354.5, 1.5), ("WLD", 353.0, 354.5, 1.5),
    ]  # fmt: skip


def test_a_release_writes_the_file_and_takes_it_off_the_list(
    magnetcast: Call, engine: Engine, refused: int
) -> None:
    _, listed, _ = magnetcast("data", "quarantine", "list", "--format", "csv")
    code, out, err = magnetcast("data", "quarantine", "release", str(refused))

    assert pd.read_csv(io.StringIO(listed))["reasons"].tolist() == ["1 of 652 rows."]
    assert (code, out) == (0, "")
    assert err == "release   file 1: 1 new row, vintage 1\n"
    assert read_observations(engine)["value"].tolist() == [353.0]
    assert read_vintages(engine)["actor"].tolist() == [actor()]
    assert read_quarantine(engine)["released_by"].tolist() == [actor()]
    _, waiting, _ = magnetcast("data", "quarantine", "list", "--format", "csv")
    _, everything, _ = magnetcast("data", "quarantine", "list", "--all", "--format", "csv")
    assert (len(waiting.splitlines()), len(everything.splitlines())) == (1, 2)


@pytest.mark.slow
def test_gaps_are_written_with_limits_and_those_beyond_them_are_reported(
    magnetcast: Call, engine: Engine, tmp_path: Path
) -> None:
    records = changed(make_records(PARTNERS[0], last="2020-10"), "2020-06-01", {"value": 2_000.0})
    rows = with_records(make_levels(last="2020-10"), records)
    file = FileRows("made", "made.csv", "0" * 64, {"observations": rows})
    write_batch(engine, Batch((file,)))
    out = tmp_path / "new" / "gaps.json"

    code, text, err = magnetcast(
        "data", "gaps", "--as-of", "2021-01-25", "--format", "json", "--out", str(out)
    )

    assert (code, text) == (0, "")
    assert err.startswith("out of control: USA 2020-06 (census), log gap +1.")
    assert err.count("\n") == 1
    rows = json.loads(out.read_text(encoding="utf-8"))
    assert list(rows[0]) == list(GAP_COLUMNS)
    assert rows[0]["period"] == "2016-02"
    assert [row["period"] for row in rows if row["state"] == "out"] == ["2020-06"]
