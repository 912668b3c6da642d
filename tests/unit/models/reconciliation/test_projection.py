import numpy as np
import pytest
from scipy import linalg, sparse
from scipy.optimize import nnls

from models.reconciliation.reconcile import coherent_leaves, shrunk_covariance


@pytest.mark.parametrize("seed", range(5))
def test_leaves_are_the_nearest_that_are_not_negative(seed: int) -> None:
    rng = np.random.default_rng(seed)
    structure = (rng.random((8, 30)) < 0.4).astype(float)
    leaves = np.exp(rng.normal(3.0, 1.5, (30, 2)))
    sums = structure @ leaves * np.exp(rng.normal(-1.0, 0.4, (8, 2)))
    mean = np.vstack([sums, leaves])
    errors = rng.normal(size=(38, 24)) * mean.mean(axis=1, keepdims=True) / 2
    covariance = shrunk_covariance(errors + errors[:1] * 0.3, mean.mean(axis=1))
    root = linalg.cholesky(
        np.diag(covariance.specific) + covariance.loadings @ covariance.loadings.T, lower=True
    )
    design, target = (
        linalg.solve_triangular(root, side, lower=True)
        for side in (np.vstack([structure, np.eye(30)]), mean)
    )

    found = coherent_leaves(
        sums, leaves, structure=sparse.csr_array(structure), covariance=covariance
    )

    expected = np.stack([nnls(design, column)[0] for column in target.T], axis=1)
    assert (expected == 0).any()
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
