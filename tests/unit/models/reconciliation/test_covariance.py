import numpy as np
import pytest

from models.reconciliation.reconcile import LEAST_SHRINKAGE, Covariance, shrunk_covariance

ERRORS = np.array(
    [
        [6.0, -9.0, 4.0, 12.0, -7.0, -3.0, 8.0, -11.0, 5.0, -2.0],
        [3.0, -5.0, -2.0, 6.0, -1.0, -1.0, 5.0, -9.0, 2.0, 1.0],
        [5.0, -3.0, 2.0, -4.0, -1.0, -6.0, 1.0, -2.0, 7.0, -1.0],
    ]
)
LEVEL = np.full(3, 50.0)


def formed(covariance: Covariance) -> np.ndarray:
    return np.diag(covariance.own) + covariance.common @ covariance.common.T


def test_variances_are_kept_and_correlations_shrunk_alike() -> None:
    sample = np.cov(ERRORS)

    ratio = formed(shrunk_covariance(ERRORS, LEVEL)) / sample

    assert np.diag(ratio) == pytest.approx(1.0)
    assert ratio[np.triu_indices(3, 1)] == pytest.approx(ratio[0, 1])
    assert LEAST_SHRINKAGE < 1.0 - ratio[0, 1] < 1.0


def test_the_shrinkage_is_that_of_schaefer_and_strimmer() -> None:
    months = ERRORS.shape[1]
    centred = ERRORS - ERRORS.mean(axis=1, keepdims=True)
    standard = centred / centred.std(axis=1, keepdims=True)
    products = [standard[i] * standard[j] for i, j in ((0, 1), (0, 2), (1, 2))]
    noise = sum(((p - p.mean()) ** 2).sum() for p in products) / (months * (months - 1))
    shrinkage = noise / sum(p.mean() ** 2 for p in products)

    found = formed(shrunk_covariance(ERRORS, LEVEL))

    assert 1.0 - found[0, 1] / np.cov(ERRORS)[0, 1] == pytest.approx(shrinkage)


def test_errors_that_are_all_one_are_shrunk_by_the_least() -> None:
    errors = np.outer([1.0, 2.0, 3.0], ERRORS[0])

    found = formed(shrunk_covariance(errors, LEVEL))

    assert found[0, 1] / np.cov(errors)[0, 1] == pytest.approx(1.0 - LEAST_SHRINKAGE)


def test_months_that_are_not_shared_count_as_uncorrelated() -> None:
    errors = np.full((2, 12), np.nan)
    errors[0, :6], errors[1, 6:] = ERRORS[0, :6], ERRORS[1, :6]

    found = formed(shrunk_covariance(errors, LEVEL[:2]))

    assert found[0, 1] == 0.0
    assert found[0, 0] == pytest.approx(errors[0, :6].var(ddof=1))


def test_a_series_with_too_few_errors_has_the_pace_of_the_others() -> None:
    errors = np.vstack([ERRORS, [np.nan] * 7 + [1.0, 2.0, 3.0]])
    variance = np.diag(formed(shrunk_covariance(errors, np.array([10.0, 20.0, 40.0, 5.0]))))

    pace = np.median(variance[:3] / [10.0, 20.0, 40.0])

    assert variance[3] == pytest.approx(5.0 * pace)


def test_spreads_stay_within_bounds_of_the_level() -> None:
    errors = np.vstack([np.zeros(10), ERRORS[0]])

    variance = np.diag(formed(shrunk_covariance(errors, np.array([1000.0, 0.5]))))

    assert np.sqrt(variance) == pytest.approx([1.0, 2.0])
