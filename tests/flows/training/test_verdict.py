from dataclasses import replace

import numpy as np
import pytest

from features.origin import bare_origin
from flows.training.backtest_records import comparison_tables, verdict
from models.evaluation.backtest import Backtest, backtest_panel
from models.forecasting.panel_forecaster import PanelForecaster
from models.forecasting.snapshot import Snapshot
from store.arrays import Floats
from store.months import month_number
from tests.data.engine_builders import BRIEF, make_values

FIRST = month_number("2018-01")


@pytest.fixture(scope="module")
def result() -> Backtest:
    return backtested(make_values())


def backtested(values: Floats) -> Backtest:
    names = tuple(map(str, range(len(values))))
    snapshot = Snapshot(bare_origin(values, FIRST, 3, names))
    return backtest_panel(PanelForecaster(BRIEF), snapshot, [FIRST + 50, FIRST + 56])


def test_a_verdict_names_the_months_scored_the_naive_and_the_best_other(result: Backtest) -> None:
    board = comparison_tables(result)["scoreboard.csv"].query("kind == 'all'").set_index("model")
    best = board["sql"].drop("magnetcast").idxmin()
    own = board.loc["magnetcast"]

    text = verdict(result)

    of_own = f"error {own['wape']:.1%} of tonnes and loss {own['sql']:.2f} against "
    of_naive, of_best = (
        f"{board.loc[name, 'wape']:.1%} and {board.loc[name, 'sql']:.2f} of "
        for name in ("seasonal_naive", best)
    )
    assert text.startswith(f"1-3 months to come: {of_own}{of_naive}the seasonal naive (")
    assert f"{of_best}the best other, {best} (" in text
    assert "; 90% interval of the difference " in text
    shares = f"{own['below10']:.0%} fell below and {own['above90']:.0%} above"
    assert f"80% band covered {own['coverage80']:.0%} of 240 months, {shares}" in text


def test_scores_say_the_horizons_that_were_scored(result: Backtest) -> None:
    assert set(result.scores["horizon_to"]) == {3}


def test_a_verdict_on_few_months_has_no_interval(result: Backtest) -> None:
    few = result.cells.query("cutoff == cutoff.max() and destination == '0'")

    assert "; too few months for an interval)" in verdict(replace(result, cells=few))


def test_a_verdict_without_any_error_to_compare_says_so() -> None:
    assert "no error to compare" in verdict(backtested(np.zeros((5, 60))))
