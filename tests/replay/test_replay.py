"""One path: what the backtest saw and said at a past moment is what a live run does."""

from dataclasses import replace
from functools import cache

import pandas as pd
import pytest

from features.build import build_features, frame_of
from features.panel.history import release_moments
from models.evaluation.backtest import replay
from models.explain.decomposition import stages_of
from models.forecasting.model_frame import rows_of
from models.forecasting.rolling import MODEL, OriginStep, ResidualHistory, train, walk
from models.policy.policy_effect import effect_at
from store.vocabulary import QUANTILE_COLUMNS
from tests.data.builders import QUICK, at, make_world, only_known

NUMBERS = [*QUANTILE_COLUMNS, "mean"]
MOMENTS = release_moments("2019-12-25", at("2020-04-22"))


@cache
def backtested() -> tuple[tuple[OriginStep, ResidualHistory], ...]:
    """Walk all moments, keeping what the memory held before each."""
    found = []
    memory = ResidualHistory()
    for step in walk(make_world().history(), MOMENTS, spec=QUICK, refit_at=MOMENTS, memory=memory):
        before = ResidualHistory({name: said[:-1] for name, said in memory.said.items()})
        found.append((step, before))
    return tuple(found)


@pytest.mark.parametrize("place", range(4), ids=lambda i: str(MOMENTS[i].date()))
def test_features_of_the_backtest_equal_those_of_a_live_run(place: int) -> None:
    step, _ = backtested()[place]
    live = only_known(make_world(), step.moment)

    features = build_features(live.observations, live.events, live.tariffs, as_of=step.moment)

    pd.testing.assert_frame_equal(frame_of(step.origin), features, check_exact=True)


@pytest.mark.parametrize("place", range(4), ids=lambda i: str(MOMENTS[i].date()))
def test_forecast_of_the_backtest_equals_that_of_a_live_run(place: int) -> None:
    step, memory = backtested()[place]
    live = only_known(make_world(), step.moment).history()

    trained = train(live, step.moment, spec=QUICK, memory=memory)
    origin = live.origin(step.moment)
    effect = effect_at(origin, live.analogs(step.moment))
    said = stages_of(trained.heads, trained.card, rows_of(origin), origin, effect).published

    own = step.forecasts.loc[step.forecasts["model"] == MODEL, NUMBERS]
    pd.testing.assert_frame_equal(own.reset_index(drop=True), said[NUMBERS], check_exact=True)


def test_the_replay_is_the_walk_over_its_moments() -> None:
    result = replay(make_world().history(), at("2020-04-22"), spec=QUICK)

    last = result.forecasts.loc[result.forecasts["as_of"] == MOMENTS[-1]]
    expected = backtested()[-1][0].forecasts
    columns = list(expected.columns)
    pd.testing.assert_frame_equal(last[columns].reset_index(drop=True), expected, check_exact=True)


def test_a_longer_walk_says_the_same_at_its_earlier_moments() -> None:
    memory = ResidualHistory()
    shorter = list(
        walk(make_world().history(), MOMENTS[:2], spec=QUICK, refit_at=MOMENTS, memory=memory)
    )

    for step, (longer, _) in zip(shorter, backtested(), strict=False):
        pd.testing.assert_frame_equal(step.forecasts, longer.forecasts, check_exact=True)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_number_of_threads_leaves_two_runs_the_same(threads: int) -> None:
    spec = replace(QUICK, threads=threads)
    history = make_world().history()
    moment = MOMENTS[-1]

    one, two = (
        next(
            walk(history, [moment], spec=spec, refit_at=[moment], memory=ResidualHistory())
        ).forecasts
        for _ in range(2)
    )

    pd.testing.assert_frame_equal(one, two, check_exact=True)
