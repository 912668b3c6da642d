import numpy as np
import pytest

from models.engine.quantile_model import Stack, fit_stack
from store.arrays import Floats

NAMES = ("horizon", "first", "second", "month", "third")


def drawn(count: int = 2_000, *, seed: int = 3) -> Floats:
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count, len(NAMES)))
    features[:, 0] = draw.integers(1, 7, count)
    features[:, 3] = draw.integers(0, 12, count)
    return features.astype(np.float32)


def planted(features: Floats) -> Floats:
    return 0.5 + 0.8 * features[:, 1] - 0.3 * features[:, 4] * np.log(features[:, 0])


def fit(features: Floats, target: Floats, *, ridge: float = 0.01) -> Stack:
    return fit_stack(features, target, np.ones(len(target)), names=NAMES, ridge=ridge)


def test_a_planted_relation_is_found() -> None:
    features = drawn()
    stack = fit(features, planted(features))

    fresh = drawn(seed=4)
    assert stack.predict(fresh) == pytest.approx(planted(fresh), abs=1e-3)


def test_a_planted_relation_is_found_among_wild_outcomes() -> None:
    features = drawn()
    target = planted(features)
    target[::20] += 1e6

    fresh = drawn(seed=4)
    assert fit(features, target).predict(fresh) == pytest.approx(planted(fresh), abs=0.1)


def test_cells_of_no_weight_do_not_count() -> None:
    features = drawn()
    target = planted(features)
    target[::2] = 50.0
    weight = np.tile([0.0, 1.0], 1_000)

    stack = fit_stack(features, target, weight, names=NAMES, ridge=0.01)

    assert stack.predict(features) == pytest.approx(planted(features), abs=1e-3)


def test_what_is_said_of_a_row_does_not_depend_on_the_others() -> None:
    features = drawn(101)
    stack = fit(features, planted(features))

    alone = np.concatenate([stack.predict(features[at : at + 1]) for at in range(101)])

    np.testing.assert_array_equal(alone, stack.predict(features))
