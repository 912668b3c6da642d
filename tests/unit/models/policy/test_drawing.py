import numpy as np
import pytest
from scipy.special import ndtri

from models.policy.drawing import drawn, month_ranks, outcome_draws, ranks


def test_ranks_are_even_and_those_of_destinations_share_half_of_their_variance() -> None:
    scores = ndtri(ranks(3, 40_000, seed=1))

    assert scores.mean(axis=0) == pytest.approx([0.0, 0.0, 0.0], abs=0.02)
    assert scores.std(axis=0) == pytest.approx([1.0, 1.0, 1.0], abs=0.02)
    correlation = np.corrcoef(scores.T)
    assert correlation[np.triu_indices(3, 1)] == pytest.approx([0.5, 0.5, 0.5], abs=0.02)


def test_ranks_of_months_correlate_by_the_carry_to_the_power_of_their_distance() -> None:
    scores = ndtri(month_ranks(4, 0.8, 40_000, seed=2))

    assert scores.std(axis=0) == pytest.approx([1.0] * 4, abs=0.02)
    assert np.corrcoef(scores.T)[0] == pytest.approx([1.0, 0.8, 0.64, 0.512], abs=0.02)


def test_as_many_draws_come_as_announced_late_and_softened_as_their_chances_say() -> None:
    announced, late, soft = outcome_draws([0.5, 0.2, 0.1, 0.2], seed=3, count=1_000)

    assert (announced.sum(), late.sum(), soft.sum()) == (500, 200, 100)
    assert not (announced & late | announced & soft | late & soft).any()


def test_tonnes_are_linear_between_the_published_quantiles_and_run_on_beyond() -> None:
    # Of 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95; the ends are 50 * 50 / 60 and 140 * 140 / 130.
    plain = np.array([[[50.0, 60.0, 80.0, 100.0, 120.0, 130.0, 140.0]]])
    at = np.array([0.0, 0.025, 0.05, 0.375, 0.5, 0.6, 1.0]).reshape(-1, 1, 1)

    tonnes = drawn(plain, at).ravel()

    assert tonnes == pytest.approx(
        [2_500 / 60, (2_500 / 60 + 50) / 2, 50.0, 90.0, 100.0, 108.0, 19_600 / 130]
    )
