import json
import os
from pathlib import Path

import pandas as pd

from flows.backup import KEEP_DAYS, prune
from flows.context.stores import made_store
from store.settings import Settings
from tests.data.builders import at


def test_old_answers_go_and_young_ones_stay(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "var")
    made_store(settings)
    cache = settings.http_cache_dir
    cache.mkdir(parents=True)
    for name, sha, age in [("a", "1", 9), ("b", "2", 9), ("c", "2", 1)]:
        note, body = cache / f"{name}.json", cache / f"{sha}.body"
        note.write_text(json.dumps({"sha256": sha}))
        body.write_text("answer")
        days = (at("2026-11-25") - pd.Timedelta(days=age)).timestamp()
        os.utime(note, (days, days))
        os.utime(body, (days, days))
    now = at("2026-11-20") + pd.Timedelta(days=KEEP_DAYS)

    shown, _ = prune(settings, now, dry_run=True)
    kept = sorted(file.name for file in cache.iterdir())
    prune(settings, now)

    assert [file.name for file in shown] == ["1.body", "a.json", "b.json"]
    assert kept == ["1.body", "2.body", "a.json", "b.json", "c.json"]
    assert sorted(file.name for file in cache.iterdir()) == ["2.body", "c.json"]
