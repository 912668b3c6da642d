from dataclasses import replace

import numpy as np
import pytest

from models.learning.calibration import PastErrors, calibrate
from models.learning.parameters import PANEL_PRESET, ModelParameters
from store.arrays import Floats
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES
from tests.data.builders import QUICK

MEDIAN, P90 = (QUANTILE_COLUMNS.index(name) for name in ("p50", "p90"))
TRUSTING = replace(QUICK, calibration_prior=12.0)
MONTHS = 18


def errors_of(
    distance: Floats, *, horizon: float = 3.0, spread: float = 0.1, age: float = 1.0
) -> PastErrors:
    same = np.ones(len(distance))
    return PastErrors(horizon * same, age * same, distance, spread * same)


@pytest.mark.parametrize("parameters", [QUICK, PANEL_PRESET], ids=["magnets", "panel"])
def test_without_errors_the_boosters_are_calibrated_and_unbiased(
    parameters: ModelParameters,
) -> None:
    shift, scores = calibrate(PastErrors.none(), parameters, MONTHS)

    assert (shift == 0).all()
    grown = np.arange(1, MONTHS + 1)[:, None] ** parameters.horizon_growth
    np.testing.assert_allclose(scores, grown * scores[0])
    assert scores[0, P90] == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_bands_cover_what_they_promise_of_exchangeable_errors(level: float) -> None:
    rng = np.random.default_rng(11)
    low, high = (QUANTILES.index(round(0.5 + side * level / 2, 2)) for side in (-1, 1))
    hits = []
    for _ in range(40):
        errors = rng.normal(0.05, 0.2, 340)
        shift, scores = calibrate(errors_of(errors[:300]), TRUSTING, MONTHS)
        inside = (errors[300:] - shift[2]) / 0.1
        hits.append(((inside >= scores[2, low]) & (inside <= scores[2, high])).mean())

    assert np.mean(hits) == pytest.approx(level, abs=0.03)


def test_scores_are_of_one_size_on_either_side_and_nothing_at_the_median() -> None:
    one_sided = np.abs(np.random.default_rng(3).normal(0.0, 0.2, 300))

    scores = calibrate(errors_of(one_sided), QUICK, MONTHS)[1]

    np.testing.assert_allclose(scores, -scores[:, ::-1])
    assert not scores[:, MEDIAN].any()
    assert (np.diff(scores, axis=1) > 0).all()


def test_errors_on_one_side_correct_a_part_of_the_bias() -> None:
    few, many = (calibrate(errors_of(np.full(n, 0.4)), TRUSTING, MONTHS)[0][2] for n in (5, 500))

    assert 0.0 < few < 0.4 / 2
    assert few < many < 0.4


def test_errors_of_one_horizon_count_as_grown_at_a_farther_one() -> None:
    grown = replace(TRUSTING, horizon_growth=0.5)
    errors = np.random.default_rng(2).normal(0, 0.1, 5000)

    _, scores = calibrate(errors_of(errors, horizon=6.0), grown, MONTHS)

    width = scores[:, -1] - scores[:, 0]
    assert width[8] == pytest.approx(1.5**0.5 * width[5], rel=0.03)


def test_old_errors_count_less() -> None:
    draw = np.random.default_rng(4).normal
    old, new = errors_of(draw(0, 0.5, 300), age=60.0), errors_of(draw(0, 0.05, 300))
    both = PastErrors(
        *(
            np.concatenate([getattr(one, name) for one in (old, new)])
            for name in ("horizon", "age", "distance", "spread")
        )
    )

    wide, narrow, mixed = (
        calibrate(one, TRUSTING, MONTHS)[1][2, P90]
        for one in (replace(old, age=new.age), new, both)
    )

    assert narrow < mixed < (wide + narrow) / 2
