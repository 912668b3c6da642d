from dataclasses import replace

import numpy as np
import pytest

from models.forecasting.residual_history import DEFAULT_SCORES, Residuals, calibrate
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES
from tests.data.builders import QUICK

MEDIAN = QUANTILE_COLUMNS.index("p50")
NOTHING = Residuals(*(np.empty(0) for _ in range(4)))


def residuals(
    distance: np.ndarray, *, horizon: float = 3.0, spread: float = 0.1, age: float = 1.0
) -> Residuals:
    same = np.ones(len(distance))
    return Residuals(horizon * same, age * same, distance, spread * same)


def test_without_residuals_the_default_scores_hold_and_nothing_is_shifted() -> None:
    shift, scores = calibrate(NOTHING, QUICK)

    assert (shift == 0).all()
    grown = np.arange(1, 19)[:, None] ** QUICK.horizon_growth
    np.testing.assert_allclose(scores, grown * scores[0])
    assert scores[0, MEDIAN] == 0.0
    assert -scores[0, 0] == pytest.approx(scores[0, -1])
    assert DEFAULT_SCORES.min() <= scores[0, 0] < -0.78


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_bands_cover_what_they_promise_of_exchangeable_errors(level: float) -> None:
    rng = np.random.default_rng(11)
    low, high = (QUANTILES.index(round(0.5 + side * level / 2, 2)) for side in (-1, 1))
    hits = []
    for _ in range(40):
        errors = rng.normal(0.05, 0.2, 340)
        shift, scores = calibrate(residuals(errors[:300]), QUICK)
        inside = (errors[300:] - shift[2]) / 0.1
        hits.append(((inside >= scores[2, low]) & (inside <= scores[2, high])).mean())

    assert np.mean(hits) == pytest.approx(level, abs=0.03)


def test_errors_on_one_side_shift_the_middle_but_not_all_the_way() -> None:
    few, many = (calibrate(residuals(np.full(n, 0.4)), QUICK)[0][2] for n in (5, 500))

    assert 0.0 < few < 0.4 / 2
    assert few < many < 0.4


def test_errors_of_one_horizon_count_as_grown_at_a_farther_one() -> None:
    grown = replace(QUICK, horizon_growth=0.5)
    errors = np.random.default_rng(2).normal(0, 0.1, 5000)

    _, scores = calibrate(residuals(errors, horizon=6.0), grown)

    width = scores[:, -1] - scores[:, 0]
    assert width[8] == pytest.approx(1.5**0.5 * width[5], rel=0.03)
