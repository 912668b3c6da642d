from dataclasses import replace

import numpy as np
import pytest

from models.learning.boosters import LEAST_CELLS, Boosters, TrainingSet, fitted
from models.learning.parameters import ModelParameters
from models.quantile_model import predicted
from tests.data.engine_builders import BRIEF, make_training_set

LAST = 41


def drawn(count: int = 2_000) -> TrainingSet:
    draw = np.random.default_rng(5)
    features = draw.normal(size=(count, 3))
    features[:, 0] = draw.integers(1, 7, count)
    return make_training_set(features, features[:, 1] + draw.normal(size=count))


def boosters_of(known: TrainingSet, parameters: ModelParameters = BRIEF) -> Boosters:
    [found] = fitted(known, [np.ones(len(known), dtype=bool)], LAST, parameters)
    assert found is not None
    return found


def test_heads_lie_near_their_levels_in_sample() -> None:
    known = drawn()

    values = predicted(boosters_of(known, replace(BRIEF, num_iterations=60)), known.features, 1)

    for quantile, level in zip(values, (0.1, 0.5, 0.9), strict=True):
        assert (known.target <= quantile).mean() == pytest.approx(level, abs=0.03)


def test_too_few_cells_teach_nothing() -> None:
    known = drawn(LEAST_CELLS)
    few = np.arange(LEAST_CELLS) > 0

    found = fitted(known, [~few, few, few | True], LAST, BRIEF)

    assert [boosters is None for boosters in found] == [True, True, False]


def test_older_rows_count_less() -> None:
    known = drawn()
    old = np.arange(2_000) % 2 == 0
    target, origin = np.where(old, 10.0, -10.0), np.where(old, 0, LAST - 1)
    aged = replace(known, target=target, origin=origin)

    boosters = boosters_of(aged, replace(BRIEF, half_life_months=12.0))
    _, middle, _ = predicted(boosters, known.features, 1)

    assert np.median(middle) < -9.0
