from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from models.learning.boosters import Boosters, TrainingSet, fitted
from models.learning.parameters import ModelParameters
from tests.data.builders import QUICK
from tests.data.engine_builders import make_training_set

NAMES = ("horizon", "tonnes_lag_1m_log", "tariff_rate_pct", "tariff_next_change_months")


@cache
def rising() -> TrainingSet:
    """Rows in which tonnes rise with the tariff, which the model may not learn."""
    rng = np.random.default_rng(2)
    features = np.column_stack(
        [
            rng.integers(1, 13, 1_200).astype(float),
            rng.normal(size=1_200),
            rng.uniform(0, 50, 1_200),
            rng.uniform(0, 50, 1_200),
        ]
    )
    features[::13, 1] = np.nan
    target = 0.01 * features[:, 2] + 0.01 * features[:, 3] + rng.normal(0, 0.3, 1_200)
    plain = make_training_set(features, target, weight=np.linspace(0.9, 1.1, 1_200))
    return replace(plain, names=NAMES)


def boosters_of(data: TrainingSet, parameters: ModelParameters) -> Boosters:
    [found] = fitted(data, [np.ones(len(data), dtype=bool)], 40, parameters)
    assert found is not None
    return found


@cache
def boosters() -> Boosters:
    return boosters_of(rising(), replace(QUICK, num_iterations=60))


def said(column: str, values: np.ndarray, head: str = "p50") -> np.ndarray:
    rows = np.tile(np.nanmean(rising().features, axis=0), (len(values), 1))
    rows[:, NAMES.index(column)] = values
    return np.asarray(boosters()[head].predict(rows))


@pytest.mark.parametrize("head", ["p10", "p50", "p90"])
def test_a_higher_tariff_never_raises_a_head(head: str) -> None:
    found = said("tariff_rate_pct", np.linspace(0, 150, 200), head)

    assert (np.diff(found) <= 0).all()


def test_heads_lie_at_their_quantiles() -> None:
    data = rising()
    plain = replace(data, target=_noise())

    found = boosters_of(plain, replace(QUICK, num_iterations=200, feature_fraction=1.0))

    for name, level in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9)):
        below = (plain.target < found[name].predict(plain.features)).mean()
        assert below == pytest.approx(level, abs=0.06)


def _noise() -> np.ndarray:
    return np.random.default_rng(9).normal(0, 0.5, 1_200)


def test_a_loss_that_is_not_rounded_off_takes_no_monotone_features() -> None:
    assert set(boosters_of(rising(), replace(QUICK, smoothing=0.0))) == {"p10", "p50", "p90"}
