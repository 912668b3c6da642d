from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from models.engine.quantile_model import LEAST_CELLS, QuantileModel, Trainer
from models.engine.training_set import PanelTrainingSet
from models.learning.spec import EngineSpec
from store.arrays import Floats
from tests.data.engine_builders import BRIEF, make_training_set

NAMES = ("horizon", "first", "second")
LAST = 41


def drawn(
    count: int = 2_000, *, noise: Callable[[Floats], Floats] | None = None
) -> PanelTrainingSet:
    draw = np.random.default_rng(5)
    features = draw.normal(size=(count, 3))
    features[:, 0] = draw.integers(1, 7, count)
    spread = draw.normal(size=count)
    return make_training_set(
        features, features[:, 1] + (spread if noise is None else noise(spread))
    )


def train_engine(known: PanelTrainingSet, spec: EngineSpec = BRIEF) -> QuantileModel:
    [found] = Trainer(known, NAMES, LAST, spec).quantile_models([np.ones(len(known), dtype=bool)])
    assert found is not None
    return found


def test_heads_lie_near_their_levels_in_sample() -> None:
    known = drawn()
    predicted = train_engine(known, replace(BRIEF, num_iterations=60)).predict(known.features)

    for head, level in (
        (predicted.low, 0.1),
        (predicted.candidates[:, 2], 0.5),
        (predicted.high, 0.9),
    ):
        assert (known.target <= head).mean() == pytest.approx(level, abs=0.03)


def test_too_few_cells_teach_nothing() -> None:
    known = drawn(LEAST_CELLS)
    few = np.arange(LEAST_CELLS) > 0

    found = Trainer(known, NAMES, LAST, BRIEF).quantile_models([~few, few, few | True])

    assert [quantile_model is None for quantile_model in found] == [True, True, False]


def test_older_lessons_count_less() -> None:
    known = drawn()
    old = np.arange(2_000) % 2 == 0
    target = np.where(old, 10.0, -10.0)
    origin = np.where(old, 0, LAST - 1)
    aged = replace(known, target=target, origin=origin)

    predicted = train_engine(aged, replace(BRIEF, half_life=12.0)).predict(known.features)

    assert np.median(predicted.candidates[:, 2]) < -9.0
