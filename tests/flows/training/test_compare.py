import io

import pandas as pd
import pytest

from models.registry.runs import find_runs
from store.settings import Settings
from tests.flows.conftest import Call


@pytest.mark.slow
def test_a_version_is_compared_with_a_run_named_by_how_its_id_begins(
    home: Settings, magnetcast: Call
) -> None:
    [run] = find_runs(home, {"flow": "backtest"})
    number = run.info.run_id

    code, shown, output = magnetcast("compare", "1", number[:10], "--format", "csv")

    assert code == 0
    assert f"B is run {number[:12]} (backtest)" in output
    scores = pd.read_csv(io.StringIO(shown)).set_index(["scope", "metric"])
    assert {"ALL", "WLD", "USA", "1 ahead"} <= set(scores.index.get_level_values("scope"))
    assert (scores["A"] == scores["B"]).all()
    assert (scores["difference"] == 0).all()
