"""The data files of a site, all numbers and words of them."""

import json
from pathlib import Path

import pandas as pd

from tests.golden.fingerprints import flat, hold


def test_numbers_of_the_data_files_are_those_committed(site: Path) -> None:
    files = sorted((site / "api").rglob("*.*"))
    tables = {}
    for path in files:
        name = path.relative_to(site).as_posix()
        if path.suffix == ".json":
            tables[name] = flat(json.loads(path.read_text(encoding="utf-8")))
        elif path.suffix == ".csv":
            tables[name] = pd.read_csv(path, keep_default_na=False)

    assert len(tables) > 20
    hold("site", tables)
