from functools import cache

import pandas as pd
import pytest

from features.build import frame_of
from features.evidence_history import release_moments
from models.evaluation.backtest import backtest_evidence
from models.forecasting.decomposition import stages_of
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import MODEL
from models.forecasting.residual_history import ResidualHistory
from models.forecasting.snapshot import Snapshot
from models.policy.policy_effect import effect_at
from store.vocabulary import QUANTILE_COLUMNS
from tests.data.builders import QUICK, at, compare_at, frame_at, make_world, only_known

pytestmark = pytest.mark.slow

NUMBERS = [*QUANTILE_COLUMNS, "mean"]
MOMENTS = release_moments("2019-12-25", at("2020-04-22"))


@cache
def backtested() -> tuple[tuple[pd.DataFrame, ResidualHistory], ...]:
    """Forecast at all moments, keeping the residual history before each."""
    found = []
    forecaster, history = EvidenceForecaster(QUICK), make_world().history()
    for moment in MOMENTS:
        [forecasts] = compare_at(forecaster, history, moment)
        made = forecaster.residuals.predictions
        found.append((forecasts, ResidualHistory({name: some[:-1] for name, some in made.items()})))
    return tuple(found)


@pytest.mark.parametrize("place", [0, 3], ids=lambda i: str(MOMENTS[i].date()))
def test_features_of_the_backtest_equal_those_of_a_live_run(place: int) -> None:
    moment = MOMENTS[place]
    live = only_known(make_world(), moment)

    features = frame_at(live.observations, live.events, live.tariffs, as_of=moment)

    origin = make_world().history().origin(moment)
    pd.testing.assert_frame_equal(frame_of(origin), features, check_exact=True)


@pytest.mark.parametrize("place", [0, 3], ids=lambda i: str(MOMENTS[i].date()))
def test_forecast_of_the_backtest_equals_that_of_a_live_run(place: int) -> None:
    forecasts, residuals = backtested()[place]
    live = Snapshot.of_evidence(only_known(make_world(), MOMENTS[place]).history(), MOMENTS[place])

    trained = EvidenceForecaster(QUICK, residuals).train(live)
    origin = live.origin
    effect = effect_at(origin, live.analogs)
    result = stages_of(trained, rows_of(origin), origin, effect).published

    own = forecasts.loc[forecasts["model"] == MODEL, NUMBERS]
    pd.testing.assert_frame_equal(own.reset_index(drop=True), result[NUMBERS], check_exact=True)


def test_the_replay_is_the_walk_over_its_moments() -> None:
    result = backtest_evidence(make_world().history(), at("2020-04-22"), parameters=QUICK)

    last = result.forecasts.loc[result.forecasts["as_of"] == MOMENTS[-1]]
    expected = backtested()[-1][0]
    columns = list(expected.columns)
    pd.testing.assert_frame_equal(last[columns].reset_index(drop=True), expected, check_exact=True)


def test_a_longer_walk_states_the_same_at_its_earlier_moments() -> None:
    shorter = compare_at(EvidenceForecaster(QUICK), make_world().history(), *MOMENTS[:2])

    for forecasts, (longer, _) in zip(shorter, backtested(), strict=False):
        pd.testing.assert_frame_equal(forecasts, longer, check_exact=True)
