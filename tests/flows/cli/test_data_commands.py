import io
import json
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine

from flows.context.stores import made_store
from store.facts.batch import Batch, FileRows
from store.facts.writing import write_batch
from store.settings import Settings
from tests.data.store_builders import make_observations
from tests.flows.conftest import Call

AUGUST = pd.Timestamp("2025-08-01T10:00", tz="UTC")
REVISED = {"value": 354.5, "available_at": "2025-08-20T00:00:00Z"}


@pytest.fixture
def engine(place: Path) -> Engine:  # noqa: ARG001 - sets the environment
    """Open the store the commands of this test see."""
    return made_store(Settings())


def test_vintages_and_what_changed_between_them_are_listed(
    magnetcast: Call, engine: Engine
) -> None:
    world, new = {"destination": "WLD"}, {**REVISED, "destination": "JPN", "value": 12.0}
    for sha, changes in (("a", ({}, world)), ("b", (REVISED, new, REVISED | world))):
        rows = make_observations(*({"source": "comtrade", **change} for change in changes))
        file = FileRows("comtrade", "comtrade X", sha * 64, {"observations": rows})
        write_batch(engine, Batch((file,)), ingested_at=AUGUST, actor="timer", revises=True)

    _, listed, _ = magnetcast("data", "vintages", "--format", "csv")
    code, out, err = magnetcast("data", "diff", "1", "2", "--format", "json")

    rows = json.loads(out)
    assert pd.read_csv(io.StringIO(listed))["rows"].tolist() == [2, 3]
    assert code == 0
    assert "2 revised, 1 new; revisions in tonnes add up to +1.5 t" in err
    assert [(row["destination"], row["before"], row["after"], row["change"]) for row in rows] == [
        ("JPN", None, 12.0, None), ("USA", 353.0, 354.5, 1.5), ("WLD", 353.0, 354.5, 1.5),
    ]  # fmt: skip
