from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.build import ALL_FEATURES
from features.evidence_history import EvidenceHistory, release_moments
from features.origin import LaterFigures, Origin
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.model_frame import rows_of
from models.forecasting.model_names import BASE_MEDIAN, MODEL
from models.forecasting.residual_history import TREES, ResidualHistory
from models.forecasting.snapshot import Snapshot
from models.quantile_model import TrainedModel, predict_quantiles
from tests.data.builders import QUICK, at, compare_at, make_world

AS_OF = at("2020-10-25")
MOMENTS = release_moments("2020-07-25", at("2020-10-26"))
FALLING = [feature.name for feature in ALL_FEATURES if feature.monotone == -1]


@cache
def history() -> EvidenceHistory:
    return make_world().history()


@cache
def backtested() -> tuple[tuple[pd.DataFrame, ...], ResidualHistory]:
    forecaster = EvidenceForecaster(QUICK)
    return tuple(compare_at(forecaster, history(), *MOMENTS)), forecaster.residuals


def origin_at(place: int) -> Origin:
    return history().origin(MOMENTS[place])


def train(past: EvidenceHistory) -> TrainedModel:
    return EvidenceForecaster(QUICK, backtested()[1]).train(Snapshot.of_evidence(past, AS_OF))


@cache
def trained() -> TrainedModel:
    return train(history())


@pytest.mark.slow
def test_a_month_that_a_figure_has_settled_is_no_forecast() -> None:
    past = make_world().unsolved()
    then = past.origin(AS_OF)
    usa = then.series.index("USA")
    figure = LaterFigures(np.array([usa]), np.array([0]), then.level[[usa]], np.array([1e-3]))
    past._origins[AS_OF] = replace(then, later=figure)

    table = EvidenceForecaster(QUICK).fit(Snapshot.of_evidence(past, AS_OF)).compare()

    nearest = table.groupby(["destination", "model"])["horizon"].min()
    assert set(nearest["USA"]) == {2}
    assert set(nearest.drop("USA")) == {1}


@pytest.mark.slow
def test_errors_are_those_of_months_known_by_now() -> None:
    _, memory = backtested()

    early = memory.residuals(MODEL, origin_at(0))
    late = memory.residuals(MODEL, origin_at(-1))

    assert len(early.distance) == 0
    assert late.age.max() == 3.0
    assert (late.horizon <= late.age).all()
    assert np.isfinite(late.distance).all()


@pytest.mark.parametrize("points", [1.0, 25.0, 120.0])
@pytest.mark.parametrize("destination", ["USA", "DEU"])
def test_a_higher_rate_in_the_target_month_never_raises_the_median(
    destination: str, points: float
) -> None:
    rows = rows_of(history().origin(AS_OF))
    raised = rows.copy()
    own = rows["destination"] == destination
    raised.loc[own, FALLING] += points

    before, after = (
        predict_quantiles(trained().boosters, trained().metadata, frame)["p50"]
        for frame in (rows, raised)
    )

    assert (after <= before).all()
    assert (after[~own] == before[~own]).all()


@pytest.mark.parametrize("place", [1, 3])
def test_the_model_is_trees_and_base_forecasts_in_their_weights(place: int) -> None:
    _, memory = backtested()
    low, middle, high = zip(
        *(memory.predictions[name][place].boosters for name in (MODEL, TREES, BASE_MEDIAN)),
        strict=True,
    )
    weight = QUICK.ensemble_weight

    expected = weight * middle[1] + (1.0 - weight) * middle[2]
    np.testing.assert_allclose(middle[0], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(high[0] - low[0], high[1] - low[1], rtol=1e-9)
