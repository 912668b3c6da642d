import os
import subprocess
import sys
from pathlib import Path

import pytest

from store.settings import PROJECT_ROOT

pytestmark = pytest.mark.slow

STAND_INS = [sys.executable, "-m", "tests.providers", "0"]
MAGNETCAST = [sys.executable, "-m", "magnetcast"]


def test_one_command_loads_a_table_to_try_a_commodity_on(tmp_path: Path) -> None:
    told = [*MAGNETCAST, "--home", str(tmp_path / "try")]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    ingest = [*STAND_INS, *told, "ingest", "comtrade", "--since", "2024-01"]

    done = subprocess.run(  # noqa: S603 - our own words
        ingest, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "calls in" not in done.stderr  # with a key there is nothing to wait for
    read = [*told, "data", "panel", "--commodity", "850511", "--format", "csv"]
    panel = subprocess.run(  # noqa: S603
        read, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert panel.stdout.count("\n") > 150
