from dataclasses import replace

import numpy as np

from models.engine.forecast import (
    ValidationResult,
    before_validation,
    validate,
    validation_start,
)
from models.engine.quantile_model import CANDIDATES, QuantileModel, Trainer
from models.engine.training_set import PanelTrainingSet
from models.learning.spec import EngineSpec
from tests.data.engine_builders import BRIEF, make_training_set

NAMES = ("horizon", "first", "second")
LAST = 60
FULL_TRUST = replace(BRIEF, trust=1.0, ridge=1.0)


def drawn(count: int = 2_400) -> PanelTrainingSet:
    """Build training rows of 24 origins in which the stack alone sees what is missed."""
    draw = np.random.default_rng(5)
    features = draw.normal(size=(count, 3))
    horizon = 1 + np.arange(count) % 6
    features[:, 0] = horizon
    target = features[:, 1] + features[:, 2] + draw.normal(scale=0.3, size=count)
    known = make_training_set(features, target, level=draw.uniform(1.0, 9.0, count))
    origin = LAST - 1 - np.arange(count) // 6 % 24
    return replace(known, horizon=horizon, origin=origin).part(origin + horizon <= LAST)


def train_engine(known: PanelTrainingSet, spec: EngineSpec) -> QuantileModel:
    before = before_validation(known, validation_start(LAST, 6, spec))
    [found] = Trainer(known, NAMES, LAST, spec).quantile_models([before])
    assert found is not None
    return found


def validation(known: PanelTrainingSet, spec: EngineSpec = BRIEF) -> ValidationResult:
    return validate(train_engine(known, spec), known, horizon=6, last=LAST, spec=spec)


def test_a_trial_is_as_long_as_reported_or_as_the_horizon() -> None:
    assert validation_start(60, 6, EngineSpec(trial_months=12)) == 48
    assert validation_start(60, 24, EngineSpec(trial_months=12)) == 36


def test_the_learner_of_the_trial_knows_no_outcome_within_it() -> None:
    known = drawn()

    before = known.part(before_validation(known, 48))

    assert (before.origin + before.horizon).max() == 48


def test_the_better_candidate_weighs_more() -> None:
    found = validation(drawn(), FULL_TRUST)

    assert (found.weights.argmax(axis=2) == CANDIDATES.index("stack")).all()


def test_without_a_learner_weights_are_equal_and_bands_the_default() -> None:
    known = drawn()

    found = validate(None, known, horizon=6, last=LAST, spec=BRIEF)

    empty = known.part(np.zeros(len(known), dtype=bool))
    plain = validate(None, empty, horizon=6, last=LAST, spec=BRIEF)
    np.testing.assert_array_equal(found.weights, 1.0 / len(CANDIDATES))
    np.testing.assert_array_equal(found.bands.scores, plain.bands.scores)


def test_errors_of_the_trial_set_the_bands() -> None:
    known = drawn()
    is_tried = known.origin >= 48
    noise = np.random.default_rng(6).normal(scale=5.0, size=len(known))
    wild = replace(known, target=known.target + np.where(is_tried, noise, 0.0))

    calm, wide = (
        validate(train_engine(known, BRIEF), part, horizon=6, last=LAST, spec=BRIEF)
        for part in (known, wild)
    )

    assert (wide.bands.scores[:, :, -1] > calm.bands.scores[:, :, -1]).all()
