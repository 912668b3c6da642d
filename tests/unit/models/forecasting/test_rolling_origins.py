from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from features.evidence_history import EvidenceHistory, release_moments
from features.origin import LaterFigures, Origin
from models.forecasting.evidence_forecaster import EvidenceForecaster
from models.forecasting.model_names import BASE_MEDIAN, MODEL
from models.forecasting.residual_history import TREES, ResidualHistory
from models.forecasting.snapshot import Snapshot
from tests.data.builders import QUICK, at, compare_at, make_world

pytestmark = pytest.mark.slow

AS_OF = at("2020-10-25")
MOMENTS = release_moments("2020-07-25", at("2020-10-26"))


@cache
def history() -> EvidenceHistory:
    return make_world().history()


@cache
def backtested() -> tuple[tuple[pd.DataFrame, ...], ResidualHistory]:
    forecaster = EvidenceForecaster(QUICK)
    return tuple(compare_at(forecaster, history(), *MOMENTS)), forecaster.residuals


def origin_at(place: int) -> Origin:
    return history().origin(MOMENTS[place])


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


def test_errors_are_those_of_months_known_by_now() -> None:
    _, memory = backtested()

    early = memory.residuals(MODEL, origin_at(0))
    late = memory.residuals(MODEL, origin_at(-1))

    assert len(early.distance) == 0
    assert late.age.max() == 3.0
    assert (late.horizon <= late.age).all()
    assert np.isfinite(late.distance).all()


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
