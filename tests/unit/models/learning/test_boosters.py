from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from models.learning.boosters import BOOSTER_LEVELS, LEAST_CELLS, Boosters, TrainingSet, fitted
from models.learning.parameters import ModelParameters
from tests.data.builders import QUICK
from tests.data.engine_builders import BRIEF, make_training_set

NAMES = ("horizon", "tonnes_lag_1m_log", "tariff_rate_pct", "tariff_next_change_months")
LAST = 41


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
    rows = make_training_set(features, target, weight=np.linspace(0.9, 1.1, 1_200))
    return replace(rows, names=NAMES)


def fitted_boosters(rows: TrainingSet, parameters: ModelParameters) -> Boosters:
    [boosters] = fitted(rows, [np.ones(len(rows), dtype=bool)], LAST, parameters)
    return boosters


@pytest.mark.parametrize("quantile", BOOSTER_LEVELS)
def test_a_higher_tariff_never_raises_a_quantile(quantile: str) -> None:
    rates = np.linspace(0, 150, 200)
    features = np.tile(np.nanmean(rising().features, axis=0), (len(rates), 1))
    features[:, NAMES.index("tariff_rate_pct")] = rates

    predicted = fitted_boosters(rising(), replace(QUICK, num_iterations=60))[quantile].predict(
        features
    )

    assert (np.diff(np.asarray(predicted)) <= 0).all()


@pytest.mark.parametrize("parameters", [QUICK, BRIEF], ids=["rounded loss", "LightGBM's loss"])
def test_boosters_lie_at_their_quantiles_in_sample(parameters: ModelParameters) -> None:
    rows = replace(rising(), target=np.random.default_rng(9).normal(0, 0.5, 1_200))

    boosters = fitted_boosters(rows, replace(parameters, num_iterations=200, feature_fraction=1.0))

    for name, level in BOOSTER_LEVELS.items():
        below = (rows.target < boosters[name].predict(rows.features)).mean()
        assert below == pytest.approx(level, abs=0.06)


def test_a_loss_that_is_not_rounded_off_takes_no_monotone_features() -> None:
    assert set(fitted_boosters(rising(), replace(QUICK, smoothing=0.0))) == {"p10", "p50", "p90"}


def test_too_few_cells_fit_no_booster() -> None:
    few = np.arange(1_200) > 1_200 - LEAST_CELLS

    boosters = fitted(rising(), [few, ~few], LAST, BRIEF)

    assert [each is None for each in boosters] == [True, False]


def test_older_rows_count_less() -> None:
    is_old = np.arange(1_200) % 2 == 0
    target, origin = np.where(is_old, 10.0, -10.0), np.where(is_old, 0, LAST - 1)
    rows = replace(rising(), target=target, origin=origin)

    boosters = fitted_boosters(rows, replace(BRIEF, half_life_months=12.0))

    assert np.median(np.asarray(boosters["p50"].predict(rows.features))) < -9.0
