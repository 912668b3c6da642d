from dataclasses import replace

import numpy as np

from models.engine import before_validation, past_errors, returns, validation_start
from models.learning.boosters import Boosters, TrainingSet, fitted
from models.learning.calibration import PastErrors
from models.learning.parameters import PANEL_PRESET
from store.arrays import take
from tests.data.engine_builders import BRIEF, make_training_set

LAST = 60


def drawn(count: int = 2_400) -> TrainingSet:
    """Build training rows of 24 origins in which the trees see what is missed."""
    draw = np.random.default_rng(5)
    features = draw.normal(size=(count, 3))
    horizon = 1 + np.arange(count) % 6
    features[:, 0] = horizon
    target = features[:, 1] + features[:, 2] + draw.normal(scale=0.3, size=count)
    origin = LAST - 1 - np.arange(count) // 6 % 24
    rows, names = make_training_set(features, target), ("horizon", "x1", "spread_log")
    known = replace(rows, horizon=horizon, origin=origin, names=names)
    return take(known, origin + horizon <= LAST)


def boosters_before(known: TrainingSet) -> Boosters:
    before = before_validation(known, validation_start(LAST, 6, BRIEF))
    [found] = fitted(known, [before], LAST, BRIEF)
    assert found is not None
    return found


def errors(boosters: Boosters | None, known: TrainingSet) -> PastErrors:
    return past_errors(boosters, known, horizon=6, last=LAST, parameters=BRIEF)


def test_the_window_is_as_long_as_its_parameter_or_the_horizon() -> None:
    assert validation_start(60, 6, replace(PANEL_PRESET, validation_months=12)) == 48
    assert validation_start(60, 24, replace(PANEL_PRESET, validation_months=12)) == 36


def test_one_that_came_back_far_larger_sets_no_band_of_others() -> None:
    values = np.concatenate([np.ones(12), np.zeros(6), np.full(6, 50.0)])[None, :]

    [[_, _, _, median, _, p90, p95]] = returns(values, 1)["6"]

    assert median == 0 < p90 < 1 < p95


def test_boosters_before_the_window_know_no_outcome_within_it() -> None:
    known = drawn()

    before = take(known, before_validation(known, 48))

    assert (before.origin + before.horizon).max() == 48


def test_errors_are_those_of_the_window_alone() -> None:
    known = drawn()
    noise = np.random.default_rng(6).normal(scale=5.0, size=len(known))
    wild = replace(known, target=known.target + np.where(known.origin >= 48, noise, 0.0))

    calm, wide = (errors(boosters_before(known), part) for part in (known, wild))

    assert len(calm.distance) == (known.origin >= 48).sum()
    assert np.abs(wide.distance).mean() > 3.0 * np.abs(calm.distance).mean()
