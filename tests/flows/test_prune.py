import json
import os
from pathlib import Path

import pandas as pd
import pytest

from flows.backup import old_answers, prune
from flows.clock import utc_now
from flows.context.stores import made_store
from store.settings import Settings
from tests.data.builders import at


def test_old_answers_go_and_bodies_that_a_young_note_names_stay(tmp_path: Path) -> None:
    for name, sha, age in [("a", "1", 9), ("b", "2", 9), ("c", "2", 1)]:
        note, body = tmp_path / f"{name}.json", tmp_path / f"{sha}.body"
        note.write_text(json.dumps({"sha256": sha}))
        body.write_text("answer")
        days = (at("2026-11-25") - pd.Timedelta(days=age)).timestamp()
        os.utime(note, (days, days))
        old = (at("2026-11-25") - pd.Timedelta(days=9)).timestamp()
        os.utime(body, (old, old))

    found = old_answers(tmp_path, at("2026-11-20"))

    assert [file.name for file in found] == ["1.body", "a.json", "b.json"]


@pytest.mark.usefixtures("place")
def test_folders_that_a_killed_run_left_are_swept() -> None:
    settings = Settings()
    made_store(settings)
    for name in (".2020-04-22.abc", ".2020-05-22.def", "2020-04-22"):
        (settings.reports_dir / name).mkdir(parents=True)
    os.utime(settings.reports_dir / ".2020-04-22.abc", (0, 0))

    prune(settings, utc_now())

    assert sorted(one.name for one in settings.reports_dir.iterdir()) == [
        ".2020-05-22.def", "2020-04-22",
    ]  # fmt: skip
