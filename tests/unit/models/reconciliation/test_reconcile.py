import numpy as np
import pytest

from models.reconciliation import (
    Covariance,
    coherent_means,
    moved_quantiles,
    reconcile,
    shrunk_covariance,
    tree_of,
)

NAN = np.nan
NAMES = ("W", "X", "Y", "a", "b", "c", "d")
TREE = tree_of({"W": "abcd", "X": "ab", "Y": "bd"}, NAMES)
ERRORS = np.array(
    [
        [6, -9, 4, 12, -7, -3, 8, -11, 5, -2],
        [3, -5, -2, 6, -1, -1, 5, -9, 2, 1],
        [5, -3, 2, -4, -1, -6, 1, -2, 7, -1],
        [1, 3, 1, 5, -2, 0, 2, -4, -3, 1],
        [2, -1, -4, 2, 3, -1, 3, -3, 0, 2],
        [4, -2, 1, 3, -6, 0, -2, -2, 1, -1],
        [-1, -2, 5, 2, 0, -2, -1, 1, 3, -3],
    ],
    dtype=float,
)
MEANS = np.array([[100, 80], [45, 20], [50, 60], [20, 12], [30, 4], [35, 40], [25, 30]], float)
PLAIN = tree_of({"S": "ab"}, ["a", "b"])
"""Rows: S, a, b."""


@pytest.mark.parametrize("unit", [1.0, 1e-9])
def test_means_are_those_of_hierarchicalforecast(unit: float) -> None:
    """From hierarchicalforecast 1.5.3.

    ``MinTrace("mint_shrink").fit_predict(S, y_hat=MEANS, y_insample=ERRORS, y_hat_insample=0)``
    with the rows of S in the order of NAMES.
    """
    assert coherent_means(unit * MEANS, unit * ERRORS, TREE) / unit == pytest.approx(
        np.array(
            [
                [106.732614, 94.008206],
                [47.137475, 23.423063],
                [53.265184, 42.495657],
                [18.439097, 14.024188],
                [28.698378, 9.398875],
                [35.028333, 37.488361],
                [24.566806, 33.096782],
            ]
        ),
        rel=1e-6,
    )


def test_means_that_would_fall_below_zero_are_those_of_hierarchicalforecast() -> None:
    """As above with ``nonnegative=True``; without it the second month of c is -0.83."""
    mean = np.array([[12, 20], [1, 40], [2, 3], [12, 16], [4, 3], [3, 2], [6, 9]], float)

    assert coherent_means(mean, ERRORS, TREE) == pytest.approx(
        np.array(
            [
                [19.833456, 27.831968],
                [9.114039, 24.019115],
                [7.685175, 7.605315],
                [8.012766, 20.226653],
                [1.101273, 3.792462],
                [4.135515, 0.0],
                [6.583902, 3.812853],
            ]
        ),
        rel=1e-6,
        abs=1e-6,
    )


def test_sums_of_very_many_leaves_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.reconciliation.MOST_LEAVES", 1)
    tree = tree_of({"all": ("A", "B")}, ["A", "B", "all"])
    mean = np.array([[1.0], [2.0], [9.0]])

    found = coherent_means(mean, np.ones((3, 4)), tree)

    assert found.tolist() == [[1.0], [2.0], [3.0]]


def test_without_errors_the_gap_is_shared_in_proportion() -> None:
    mean = np.array([[120.0], [60.0], [20.0]])

    found = coherent_means(mean, np.full((3, 12), NAN), PLAIN)

    assert found[1, 0] / found[2, 0] == pytest.approx(3.0)
    assert 80 < found[0, 0] < 120


@pytest.mark.parametrize(
    "errors",
    [
        pytest.param(np.zeros((3, 12)), id="none ever erred"),
        pytest.param(np.empty((3, 0)), id="no months"),
        pytest.param(np.tile([[2.0], [1.0], [1.0]], 12), id="always the same"),
        pytest.param(np.outer([2.0, 1.0, 1.0], np.arange(12.0)), id="all one"),
        pytest.param(np.outer([0.0, 1.0, -1.0], np.arange(12.0)), id="cancel out"),
        pytest.param(1e200 * ERRORS[:3], id="huge"),
    ],
)
def test_degenerate_errors_still_give_sums(errors: np.ndarray) -> None:
    found = coherent_means(np.array([[120.0], [60.0], [20.0]]), errors, PLAIN)

    assert np.isfinite(found).all()
    assert found[0, 0] == pytest.approx(found[1, 0] + found[2, 0])
    assert 70 < found[0, 0] < 130


def test_series_outside_the_tree_stay_as_they_are() -> None:
    tree = tree_of({"S": "ab"}, ["a", "b", "c"])
    mean = np.array([[120.0], [60.0], [20.0], [7.0]])
    quantiles = mean[:, :, None] * np.linspace(0.5, 1.5, 7)

    found, moved = reconcile(mean, quantiles, np.vstack([ERRORS[:3], ERRORS[:1]]), tree)

    assert tree.series == ("S", "a", "b", "c")
    assert found[3, 0] == 7.0
    np.testing.assert_array_equal(moved[3], quantiles[3])


def test_a_leaf_that_is_not_forecast_counts_as_nothing() -> None:
    mean = np.array([[30.0], [NAN], [20.0]])

    found = coherent_means(mean, ERRORS[:3], PLAIN)

    assert np.isnan(found[1, 0])
    assert found[0, 0] == found[2, 0]
    assert 20 < found[0, 0] < 30


def test_a_sum_that_is_not_forecast_is_added_up_with_its_quantiles() -> None:
    mean = np.array([[NAN], [10.0], [20.0]])
    quantiles = mean[:, :, None] * np.array([0.5, 1.0, 2.0])

    found, moved = reconcile(mean, quantiles, ERRORS[:3], PLAIN)

    assert found[:, 0] == pytest.approx([30.0, 10.0, 20.0], rel=1e-12)
    assert moved[0, 0] == pytest.approx([15.0, 30.0, 60.0], rel=1e-12)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(10.0, 5.0, [2.0, 5.0, 10.0], id="halved"),
        pytest.param(10.0, 15.0, [6.0, 15.0, 30.0], id="raised"),
        pytest.param(10.0, 50.0, [38.0, 50.0, 70.0], id="more than doubled"),
        pytest.param(10.0, 0.0, [0.0, 0.0, 0.0], id="to nothing"),
        pytest.param(0.0, 3.0, [7.0, 13.0, 23.0], id="from nothing"),
        pytest.param(0.0, 0.0, [4.0, 10.0, 20.0], id="nothing stays"),
    ],
)
def test_quantiles_move_with_their_mean(before: float, after: float, expected: list[float]) -> None:
    quantiles = np.array([[[4.0, 10.0, 20.0]]])
    alone = tree_of({}, ["a"])

    found = moved_quantiles(quantiles, np.array([[before]]), np.array([[after]]), alone)

    assert found[0, 0] == pytest.approx(expected)


LEVEL = np.full(3, 50.0)


def formed(covariance: Covariance) -> np.ndarray:
    return np.diag(covariance.specific) + covariance.loadings @ covariance.loadings.T


def test_the_shrinkage_is_that_of_schaefer_and_strimmer() -> None:
    months = ERRORS.shape[1]
    errors = ERRORS[:3]
    centred = errors - errors.mean(axis=1, keepdims=True)
    standard = centred / centred.std(axis=1, keepdims=True)
    products = [standard[i] * standard[j] for i, j in ((0, 1), (0, 2), (1, 2))]
    noise = sum(((p - p.mean()) ** 2).sum() for p in products) / (months * (months - 1))
    shrinkage = noise / sum(p.mean() ** 2 for p in products)

    found = formed(shrunk_covariance(ERRORS[:3], LEVEL))

    assert 1.0 - found[0, 1] / np.cov(errors)[0, 1] == pytest.approx(shrinkage)


def test_spreads_stay_within_bounds_of_the_level() -> None:
    errors = np.vstack([np.zeros(10), ERRORS[0]])

    variance = np.diag(formed(shrunk_covariance(errors, np.array([1000.0, 0.5]))))

    assert np.sqrt(variance) == pytest.approx([1.0, 2.0])
