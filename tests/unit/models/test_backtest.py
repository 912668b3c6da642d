from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.history import TableHistory
from features.months import month_number
from models.backtest import Backtest, forecast_file, replay, replay_table, walk_to
from models.plots import score_plots
from models.rolling import MODEL, Memory
from store.errors import DataError
from store.vocabulary import FORECAST_COLUMNS
from tests.data.builders import QUICK, at, make_table, make_world

CUTOFFS = (month_number("2021-06"), month_number("2021-12"))


@cache
def table_result() -> Backtest:
    return replay_table(make_table(months=60), CUTOFFS, horizon=3, spec=QUICK)


@cache
def world_result() -> Backtest:
    return replay(make_world().history(), at("2020-04-22"), spec=QUICK)


def test_a_table_is_forecast_from_each_cutoff_once() -> None:
    forecasts = table_result().forecasts

    assert sorted(forecasts["cutoff"].unique()) == ["2021-06", "2021-12"]
    assert not forecasts.duplicated(["model", "cutoff", "destination", "period"]).any()
    own = forecasts.query("model == @MODEL")
    assert len(own) == 2 * 4 * 3
    assert sorted(own["horizon"].unique()) == [1, 2, 3]


def test_the_truth_of_a_table_is_its_own_later_months() -> None:
    table = make_table(months=60)
    cell = table_result().cells.query("destination == 'S2' and cutoff == '2021-06'").iloc[0]

    number = month_number(cell["period"])
    assert cell["tonnes"] == table.loc["S2", number]


def test_the_scale_is_the_seasonal_step_up_to_the_cutoff() -> None:
    table = make_table(months=60).loc["S2"]
    known = table.loc[: CUTOFFS[0]].to_numpy()

    cell = table_result().cells.query("destination == 'S2' and cutoff == '2021-06'").iloc[0]

    expected = np.abs(known[12:] - known[:-12]).mean()
    assert cell["scaled_error"] == pytest.approx(cell["absolute_error"] / expected)


def test_order_of_cutoffs_does_not_matter() -> None:
    again = replay_table(make_table(months=60), CUTOFFS[::-1], horizon=3, spec=QUICK)

    pd.testing.assert_frame_equal(again.forecasts, table_result().forecasts, check_exact=True)


def test_bands_of_a_table_learn_from_the_year_before_the_cutoff() -> None:
    memory = Memory()

    steps = walk_to(
        TableHistory(make_table(months=60), horizon=3), CUTOFFS[0], spec=QUICK, memory=memory
    )

    assert len(steps) == 13
    assert len(memory.residuals(MODEL, steps[-1].origin).distance) > 0


def test_a_cutoff_with_too_little_history_is_refused() -> None:
    with pytest.raises(DataError, match="Cutoff 2019-02 has too little history before it"):
        replay_table(make_table(months=60), [month_number("2019-02")], horizon=3, spec=QUICK)


def test_only_months_with_a_published_level_are_scored() -> None:
    result = world_result()

    assert set(result.cells["destination"]) == {
        *("USA", "DEU", "JPN", "KOR", "VNM", "IND", "THA", "ITA", "EU27_REST", "WLD")
    }
    assert set(result.cells["period"]) == {pd.Timestamp("2020-03-01")}


def test_origins_of_a_replay_are_older_than_the_as_of() -> None:
    result = world_result()

    moments = sorted(result.forecasts["as_of"].unique())
    assert [str(moment.date()) for moment in moments][-1] == "2020-03-25"
    assert (result.forecasts["cutoff"] < "2020-03").all()


def test_all_models_are_scored_on_the_same_cells() -> None:
    scores = world_result().scores.query("scope == 'ALL' and metric == 'wape'")

    assert set(scores["model"]) == {MODEL, "seasonal_naive", "last_value", "drift"}
    assert scores["cells"].min() == scores["cells"].max() > 0


def test_an_as_of_without_a_past_origin_is_refused() -> None:
    with pytest.raises(DataError, match="2019-06-25"):
        replay(make_world().history(), at("2019-06-25"), spec=QUICK)


def test_a_forecast_file_has_its_columns_and_the_products_own_rows() -> None:
    frame = forecast_file(table_result().forecasts, status="backtest")

    assert tuple(frame.columns) == FORECAST_COLUMNS
    assert len(frame) == 2 * 4 * 3
    assert frame["period"].str.fullmatch(r"\d{4}-\d{2}").all()
    assert (frame["status"] == "backtest").all()


def test_plots_have_a_line_a_model() -> None:
    figures = score_plots(table_result().cells)

    assert sorted(figures) == ["wape_by_horizon", "wape_by_origin"]
    for figure in figures.values():
        assert len(figure.axes[0].lines) == 4
