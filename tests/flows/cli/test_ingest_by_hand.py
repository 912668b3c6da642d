import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from flows.cli.options import moment
from store.database import open_store
from store.facts.reading import read_events, read_observations, read_vintages
from store.settings import Settings
from tests.flows.conftest import Call, point_at

FIGURE = [
    "ingest", "figure", "--period", "2026-08", "--destination", "USA", "--tonnes", "512",
    "--source", "https://example.org/report", "--published-on", "2026-09-20",
]  # fmt: skip
EVENT = """
- event_id: 2026-11-cn-test
  announced_on: 2026-11-02
  effective_from: 2026-12-01
  instrument: export_licence_relaxation
  direction: easing
  severity: 1
  destinations: [USA]
  confidence: high
  evidence: primary
  covers: [magnets]
  covered_share: 1
  covered_because: all licences
"""


@pytest.fixture
def engine(
    filled: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """A store with the bundled facts."""
    shutil.copytree(filled, tmp_path / "place")
    point_at(tmp_path / "place", data_dir, monkeypatch)
    made = open_store(Settings().url)
    yield made
    made.dispose()


@pytest.mark.slow
def test_a_figure_corrected_today_counts_in_a_command_that_names_no_moment(
    magnetcast: Call, engine: Engine
) -> None:
    for tonnes in ("5121", "512"):
        code, _, output = magnetcast(*FIGURE[:7], tonnes, *FIGURE[8:-2])
        assert code == 0, output

    known = read_observations(engine, as_of=moment(None)).sort_values("available_at")
    assert known.query("source == 'example.org'")["value"].tolist() == [5121.0, 512.0]


@pytest.mark.slow
def test_a_corrected_summary_or_source_is_a_new_version_that_diff_shows(
    magnetcast: Call, engine: Engine, tmp_path: Path
) -> None:
    act = tmp_path / "act.yaml"
    act.write_text(EVENT.replace("2026-11-02", "2026-10-02") + "  summary: Wrong words.\n")
    assert magnetcast("ingest", "events", str(act))[0] == 0
    first = read_vintages(engine)["ingested_at"].max()

    corrected = act.read_text().replace("Wrong", "Right")
    act.write_text(corrected + "  source_urls: https://example.org/act\n")
    code, _, message = magnetcast("ingest", "events", str(act))

    assert code == 0, message
    mine = "event_id == '2026-11-cn-test'"
    assert read_events(engine, as_of=first).query(mine)["summary"].tolist() == ["Wrong words."]
    versions = read_events(engine).query(mine).sort_values("available_at")
    assert versions["summary"].tolist() == ["Wrong words.", "Right words."]
    assert versions["available_at"].iloc[-1] > first
    last = str(read_vintages(engine)["id"].max())
    _, shown, _ = magnetcast("data", "diff", str(int(last) - 1), last, "--format", "csv")
    assert ",summary,2026-10-02,Wrong words.,Right words.,," in shown
    assert ",source_urls,2026-10-02,,https://example.org/act,," in shown

    assert "nothing new" in magnetcast("ingest", "events", str(act))[2]
    for word in ("Other", "Right"):  # a file that goes back to what it was is a new version too
        act.write_text(corrected.replace("Right", word))
        assert magnetcast("ingest", "events", str(act))[0] == 0
        assert read_events(engine).query(mine)["summary"].tolist()[-1] == f"{word} words."
