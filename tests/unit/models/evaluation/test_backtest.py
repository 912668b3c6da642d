from functools import cache

import pandas as pd
import pytest

from features.statistical.base_forecasts import BASELINES
from models.evaluation.backtest import Backtest, backtest_evidence
from models.forecasting.model_names import BASE_MEDIAN, MODEL, UNANSWERED
from models.forecasting.residual_history import TREES
from store.errors import DataError
from tests.data.builders import QUICK, at, make_world


@cache
def world_result() -> Backtest:
    return backtest_evidence(make_world().history(), at("2020-04-22"), parameters=QUICK)


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

    assert set(scores["model"]) == {MODEL, UNANSWERED, TREES, BASE_MEDIAN, *BASELINES}
    assert scores["cells"].min() == scores["cells"].max() > 0


def test_an_as_of_without_a_past_origin_is_refused() -> None:
    with pytest.raises(DataError, match="2019-06-25"):
        backtest_evidence(make_world().history(), at("2019-06-25"), parameters=QUICK)
