import json
from collections.abc import Callable
from pathlib import Path

import pytest

from features.panel.mirror import GAP_COLUMNS
from store.database import open_store
from store.facts.batch import Batch, FileRows
from store.facts.writing import write_batch
from store.settings import Settings
from tests.data.builders import make_levels
from tests.data.mirror_builders import PARTNERS, changed, make_records, with_records

Call = Callable[..., tuple[int, str, str]]
USA = PARTNERS[0]


def store(*, with_partner: bool) -> None:
    """Fill the store of this test's place; the records of June 2020 are beyond all limits."""
    records = changed(make_records(USA, last="2020-10"), "2020-06-01", {"value": 2_000.0})
    levels = make_levels(last="2020-10")
    rows = with_records(levels, records) if with_partner else levels
    file = FileRows("made", "made.csv", "0" * 64, {"observations": rows})
    engine = open_store(Settings().url)
    write_batch(engine, Batch((file,)))
    engine.dispose()


@pytest.mark.slow
@pytest.mark.usefixtures("place")
def test_gaps_are_written_with_limits_and_those_beyond_them_are_reported(
    magnetcast: Call, tmp_path: Path
) -> None:
    store(with_partner=True)
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
