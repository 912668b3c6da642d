import numpy as np
import pytest

from models.learning.calibration import LEAST_CHECKED, combination_weights

EVEN = np.array([0.5, 0.5])
MANY = 2 * LEAST_CHECKED


def weights(near: list[float], far: list[float], *, trust: float = 1.0, cells: int = MANY):
    error = np.concatenate([np.tile(near, (cells, 1)), np.tile(far, (cells, 1))])
    horizon = np.repeat([3, 4], cells)
    return combination_weights(error, horizon, trust=trust, prior=EVEN)


def test_weights_are_in_proportion_to_the_fourth_power_of_the_inverse_error() -> None:
    found = weights([1.0, 2.0], [3.0, 3.0])

    np.testing.assert_allclose(found, [[16 / 17, 1 / 17], [0.5, 0.5]])


@pytest.mark.parametrize("trust", [0.0, 0.25, 1.0])
def test_trust_moves_them_from_the_prior_to_what_was_measured(trust: float) -> None:
    found = weights([1.0, 2.0], [1.0, 2.0], trust=trust)

    np.testing.assert_allclose(found[:, 0], trust * 16 / 17 + (1 - trust) * 0.5)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_the_prior_holds_where_too_few_cells_are_known() -> None:
    few = weights([1.0, 9.0], [1.0, 9.0], cells=LEAST_CHECKED - 1)
    enough = weights([1.0, 9.0], [1.0, 9.0], cells=LEAST_CHECKED)

    assert (few == EVEN).all()
    assert (enough[:, 0] > 0.99).all()
