import os
import sys
from pathlib import Path

import pytest

from store.settings import PROJECT_ROOT
from tests.helpers import ended

pytestmark = pytest.mark.slow


def test_one_command_loads_a_table_to_try_a_commodity_on(tmp_path: Path) -> None:
    told = ["-m", "magnetcast", "--home", tmp_path / "try"]
    ours = {"cwd": PROJECT_ROOT, "env": {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}}
    ingest = [sys.executable, *told, "ingest", "comtrade", "--since", "2024-01"]

    done = ended("-m", "tests.providers", 0, *ingest, **ours)

    assert done.returncode == 0, done.stderr
    assert "calls in" not in done.stderr  # with a key there is nothing to wait for
    read = ended(*told, "data", "panel", "--commodity", "850511", "--format", "csv", **ours)
    assert read.stdout.count("\n") > 150
