import numpy as np
import pytest

from models.reconcile import coherent_factors

GROUPS = tuple(np.array(rows) for rows in ([0], [1], [2], [0, 1, 2], [0, 1]))


def coherent(mean: list[float], spread: list[float]) -> np.ndarray:
    values = np.array(mean)[:, None]
    return (values * coherent_factors(values, np.array(spread)[:, None], GROUPS))[:, 0]


def test_means_that_add_up_already_stay() -> None:
    mean = [10.0, 20.0, 30.0, 60.0, 30.0]

    assert coherent(mean, [1.0] * 5) == pytest.approx(mean, rel=1e-9)


def test_means_of_parts_add_up_to_those_of_sums() -> None:
    found = coherent([10.0, 20.0, 30.0, 90.0, 40.0], [1.0, 2.0, 3.0, 4.0, 5.0])

    assert found[:3].sum() == pytest.approx(found[3])
    assert found[:2].sum() == pytest.approx(found[4])


def test_what_is_known_well_moves_what_is_not() -> None:
    found = coherent([10.0, 20.0, 30.0, 90.0, 30.0], [0.1, 0.1, 50.0, 0.1, 0.1])

    assert found == pytest.approx([10.0, 20.0, 60.0, 90.0, 30.0], abs=0.01)


def test_no_mean_becomes_negative() -> None:
    found = coherent([10.0, 20.0, 30.0, 5.0, 30.0], [1.0, 1.0, 1.0, 0.01, 1.0])

    assert (found >= 0).all()
    assert found[3] == pytest.approx(5.0, abs=0.05)


def test_a_series_of_zeros_stays_zero_and_finite() -> None:
    found = coherent([0.0, 20.0, 30.0, 50.0, 20.0], [0.0, 1.0, 1.0, 1.0, 1.0])

    assert np.isfinite(found).all()
    assert found[0] == pytest.approx(0.0, abs=1e-6)


def test_without_sums_every_factor_is_one() -> None:
    mean = np.array([[1.0, 2.0], [3.0, 4.0]])

    factors = coherent_factors(mean, mean, (np.array([0]), np.array([1])))

    assert (factors == 1.0).all()
