from functools import cache

import pandas as pd
import pytest

from features.statistical.base_forecasts import BASELINES
from models.evaluation.backtest import Backtest, backtest_evidence, is_forecastable
from models.evaluation.scores import lead_scores
from models.forecasting.evidence_forecaster import FIRST_REPLAY, past_moments
from models.forecasting.model_names import BASE_MEDIAN, MODEL, UNANSWERED
from models.forecasting.residual_history import TREES
from store.errors import DataError
from store.vocabulary import QUANTILE_COLUMNS
from tests.data.builders import QUICK, at, make_events, make_origin, make_world


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


def test_a_month_shaped_by_a_control_is_forecastable_once_it_is_announced() -> None:
    act = {"event_id": "licence", "announced_on": "2020-02-10", "effective_from": "2020-02-20"}
    now = make_origin(events=make_events(act))
    months = pd.to_datetime(["2020-01-01", "2020-02-01", "2020-04-01", "2020-05-01"])
    cells = pd.DataFrame(
        [("USA", month, at(day)) for day in ("2020-01-25", "2020-02-25") for month in months],
        columns=["destination", "period", "as_of"],
    )

    found = is_forecastable(cells, now)

    assert found.tolist() == [True, False, False, True, True, True, True, True]
    scores = lead_scores(scored(cells.assign(is_forecastable=found)))
    counts = scores.groupby("scope")["cells"].sum()
    assert (counts["ALL"], counts["FORECASTABLE"]) == (8, 6)


def scored(cells: pd.DataFrame) -> pd.DataFrame:
    """Return cells with a forecast of 100 t and the like."""
    numbers = dict.fromkeys((*QUANTILE_COLUMNS, "tonnes", "absolute_error"), 100.0)
    errors = dict.fromkeys(("scaled_error", "scaled_quantile_loss"), 1.0)
    return cells.assign(**numbers, **errors, is_covered=True, model="m", lead=1, horizon=1)


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
