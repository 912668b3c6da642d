from functools import cache

import pandas as pd
import pytest

from features.statistical.base_forecasts import BASELINES
from models.evaluation.backtest import Backtest, backtest_evidence
from models.forecasting.evidence_forecaster import FIRST_REPLAY, past_moments
from models.forecasting.model_names import BASE_MEDIAN, MODEL, UNANSWERED
from models.forecasting.residual_history import TREES
from store.errors import DataError
from tests.data.builders import QUICK, at, make_world


@cache
def world_result() -> Backtest:
    return backtest_evidence(make_world().history(), at("2020-04-22"), parameters=QUICK)


@pytest.mark.slow
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


def test_an_earlier_first_origin_has_a_year_before_it_to_calibrate_on() -> None:
    moments = past_moments(at("2026-11-24"), at("2021-06-01"))

    assert (moments[0], moments[-1]) == (at("2020-06-25"), at("2026-10-25"))
    assert past_moments(at("2026-11-24"))[0] == at("2023-06-25")
    assert past_moments(at("2026-11-24"), at("2020-06-01"))[0] == at(FIRST_REPLAY)


def test_origins_are_scored_since_a_month() -> None:
    world = make_world().history()
    result = backtest_evidence(world, at("2020-04-22"), parameters=QUICK, since=at("2020-02-01"))

    moments = result.forecasts["as_of"].unique()
    assert sorted(f"{moment:%Y-%m-%d}" for moment in moments) == ["2020-02-25", "2020-03-25"]
    leads = result.cells.groupby("as_of")["lead"].agg(set).to_dict()
    assert leads == {at("2020-02-25"): {-1, 0, 1}, at("2020-03-25"): {0}}
