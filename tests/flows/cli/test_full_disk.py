"""Every verb on a disk without a free byte: one sentence, never a traceback."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from flows.cli.app import VERBS
from store.settings import PROJECT_ROOT
from tests.flows.conftest import point_at
from tests.small_disk import small_disk

pytestmark = pytest.mark.slow

Call = Callable[..., tuple[int, str, str]]
SCENARIO = PROJECT_ROOT / "scenarios" / "us-tariff-60.yaml"
FIGURE = "ingest figure --period 2026-08 --destination USA --tonnes 512 --source https://e.org/r"
WORDS = {
    "run": "run",
    "predict": "predict",
    "backtest": "backtest",
    "scenario": f"scenario {SCENARIO}",
    "recovery": "recovery",
    "explain": "explain USA",
    "attribute": "attribute USA",
    "gaps": "gaps",
    "ingest": FIGURE,
    "review": "review list",
    "quarantine": "quarantine list",
    "vintages": "vintages",
    "diff": "diff 1 2",
    "train": "train",
    "promote": "promote",
    "rollback": "rollback",
    "compare": "compare 1 2",
    "publications": "publications list",
    "replay": "replay --as-of 2026-09-22",
    "report": "report",
    "alerts": "alerts",
    "token": "token create x",
    "status": "status",
    "backup": "backup {home}/b.tar.gz",
    "restore": "restore {home}/b.tar.gz",
    "prune": "prune",
    "config": "config show",
}
APART = {"panel", "serve", "up"}
"""They need files of their own or start servers; tests/faults fills the disk under these."""


def test_no_verb_is_left_out() -> None:
    every = {name for modules in VERBS.values() for names in modules.values() for name in names}

    assert every == WORDS.keys() | APART


@pytest.fixture
def full_home(
    filled: Path,
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Path]:
    """A home with facts, its database in the journal mode of the test, on a full disk."""
    place = tmp_path / "place"
    shutil.copytree(filled, place)
    point_at(place, data_dir, monkeypatch)
    home = place / "var"
    with closing(sqlite3.connect(home / "magnetcast.db")) as connection:
        connection.execute(f"PRAGMA journal_mode = {request.param}")
    with small_disk(home, 40) as leave:
        leave(0)
        yield home


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("full_home", ["DELETE"], indirect=True)
def test_a_verb_on_a_full_disk_ends_in_a_sentence(
    full_home: Path, magnetcast: Call, words: str
) -> None:
    code, _, message = magnetcast(*words.format(home=full_home).split())

    assert code in {0, 1, 2}
    assert message.count("error: ") == (code == 1), message
    assert "Traceback" not in message
    assert "sqlalche.me" not in message


@pytest.mark.parametrize("full_home", ["DELETE", "WAL"], indirect=True)
def test_status_reads_on_a_full_disk_what_it_would_read_on_another(
    full_home: Path, magnetcast: Call
) -> None:
    before = (full_home / "magnetcast.db").read_bytes()

    code, out, _ = magnetcast("status")

    assert code == 2
    assert "Figures of 2026-" in out
    assert "BROKEN database" not in out
    assert "BROKEN disk: 0.0 GB are free" in out
    assert (full_home / "magnetcast.db").read_bytes() == before
