import numpy as np
import pytest

from models.reconciliation.reconcile import Covariance, shrunk_covariance

ERRORS = np.array(
    [
        [6.0, -9.0, 4.0, 12.0, -7.0, -3.0, 8.0, -11.0, 5.0, -2.0],
        [3.0, -5.0, -2.0, 6.0, -1.0, -1.0, 5.0, -9.0, 2.0, 1.0],
        [5.0, -3.0, 2.0, -4.0, -1.0, -6.0, 1.0, -2.0, 7.0, -1.0],
    ]
)
LEVEL = np.full(3, 50.0)


def formed(covariance: Covariance) -> np.ndarray:
    return np.diag(covariance.specific) + covariance.loadings @ covariance.loadings.T


def test_the_shrinkage_is_that_of_schaefer_and_strimmer() -> None:
    months = ERRORS.shape[1]
    centred = ERRORS - ERRORS.mean(axis=1, keepdims=True)
    standard = centred / centred.std(axis=1, keepdims=True)
    products = [standard[i] * standard[j] for i, j in ((0, 1), (0, 2), (1, 2))]
    noise = sum(((p - p.mean()) ** 2).sum() for p in products) / (months * (months - 1))
    shrinkage = noise / sum(p.mean() ** 2 for p in products)

    found = formed(shrunk_covariance(ERRORS, LEVEL))

    assert 1.0 - found[0, 1] / np.cov(ERRORS)[0, 1] == pytest.approx(shrinkage)


def test_spreads_stay_within_bounds_of_the_level() -> None:
    errors = np.vstack([np.zeros(10), ERRORS[0]])

    variance = np.diag(formed(shrunk_covariance(errors, np.array([1000.0, 0.5]))))

    assert np.sqrt(variance) == pytest.approx([1.0, 2.0])
