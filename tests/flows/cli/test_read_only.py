import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.conftest import Call, point_at
from tests.small_disk import read_only

pytestmark = pytest.mark.slow

READING = {"data vintages": 0, "publications list": 0, "publications verify": 0, "status": 2}
"""Exit codes: the state of a home without a forecast is an alarm."""
FIGURE = "ingest figure --period 2026-08 --destination USA --tonnes 512 --source https://e.org/r"
WRITING = [FIGURE, "site", "prune"]


@pytest.fixture
def home(
    filled: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    place = tmp_path / "place"
    shutil.copytree(filled, place)
    point_at(place, data_dir, monkeypatch)
    with read_only(place):
        yield place / "var"


@pytest.mark.parametrize(("words", "expected"), READING.items())
@pytest.mark.usefixtures("home")
def test_what_reads_answers(magnetcast: Call, words: str, expected: int) -> None:
    code, table, message = magnetcast(*words.split())

    assert code == expected, table + message
    assert "error: " not in message


@pytest.mark.parametrize("words", WRITING, ids=[words.split()[0] for words in WRITING])
@pytest.mark.usefixtures("home")
def test_what_writes_ends_in_a_sentence(magnetcast: Call, words: str) -> None:
    code, _, message = magnetcast(*words.split())

    assert code == 1
    assert message.count("error: ") == 1
    assert "Traceback" not in message
