"""What the jobs compute of past origins lies below home, where the settings bound it."""

from pathlib import Path

import pandas as pd
import pytest

from flows.context.stores import made_store
from flows.context.workspace import open_evidence
from models.evaluation.backtest import Backtest, backtest_evidence
from store.facts.batch import Batch, FileRows
from store.facts.writing import write_batch
from store.settings import Settings
from tests.data.builders import QUICK, at, make_levels

pytestmark = pytest.mark.slow

AS_OF = at("2020-02-22")
"""After two past origins of a backtest."""


def take_in(settings: Settings, rows: pd.DataFrame, name: str) -> None:
    batch = Batch((FileRows("figures", name, name * 64, {"observations": rows}),))
    write_batch(made_store(settings), batch)


def backtested(settings: Settings) -> Backtest:
    return backtest_evidence(open_evidence(settings, AS_OF).history, AS_OF, parameters=QUICK)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings(home=tmp_path / "home", database_url=f"sqlite:///{tmp_path / 'facts.db'}")
    take_in(found, make_levels(last="2019-12"), "a")
    return found


def test_a_late_figure_in_the_store_leaves_past_origins_as_they_are(settings: Settings) -> None:
    cold = backtested(settings)
    made = set(settings.origins_dir.iterdir())
    late = make_levels(last="2020-01").tail(1)
    take_in(settings, late.assign(available_at=at("2020-02-20")), "b")

    warm = backtested(settings)

    pd.testing.assert_frame_equal(warm.forecasts, cold.forecasts, check_exact=True)
    assert len(set(settings.origins_dir.iterdir()) - made) == 1  # the present panel
