"""What holds of coherent forecasts whatever the tree, the numbers and the errors are."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.reconciliation.reconcile import coherent_means, reconcile
from models.reconciliation.tree import Tree, tree_of

MONTHS = 2
LEVELS = 3
TONNES = st.one_of(st.just(0.0), st.floats(1e-9, 1e15, allow_subnormal=False), st.floats(1.0, 1e3))
ERROR = st.one_of(st.just(float("nan")), st.just(0.0), st.floats(-1e3, 1e3), st.floats(-1e15, 1e15))


@dataclass(frozen=True, slots=True)
class Case:
    """A tree, forecasts of its series and their errors."""

    parts: dict[str, tuple[str, ...]]
    tree: Tree
    mean: np.ndarray
    quantiles: np.ndarray
    residuals: np.ndarray


@st.composite
def cases(draw: st.DrawFn) -> Case:
    leaves = [f"leaf{i}" for i in range(draw(st.integers(1, 8)))]
    parts: dict[str, tuple[str, ...]] = {}
    for name in (f"sum{i}" for i in range(draw(st.integers(0, 4)))):
        parts[name] = tuple(draw(st.sets(st.sampled_from([*leaves, *parts]), min_size=1)))
    tree = tree_of(parts, leaves)
    rows = len(tree.series)
    quantiles = draw(hnp.arrays(float, (rows, MONTHS, LEVELS), elements=TONNES))
    return Case(
        parts,
        tree,
        draw(hnp.arrays(float, (rows, MONTHS), elements=TONNES)),
        np.sort(quantiles, axis=2),
        draw(hnp.arrays(float, (rows, draw(st.integers(0, 12))), elements=ERROR)),
    )


def completed(case: Case) -> np.ndarray:
    """Return the means with the sums added up."""
    mean = case.mean.copy()
    mean[case.tree.sums] = case.tree.structure @ mean[case.tree.leaves]
    return mean


@given(cases())
def test_means_add_up_and_are_never_negative(case: Case) -> None:
    found = coherent_means(case.mean, case.residuals, case.tree)

    assert np.isfinite(found).all()
    assert (found >= 0).all()
    np.testing.assert_allclose(
        found[case.tree.sums], case.tree.structure @ found[case.tree.leaves], rtol=1e-12
    )


@given(cases())
def test_quantiles_stay_in_order_and_not_negative(case: Case) -> None:
    _, found = reconcile(case.mean, case.quantiles, case.residuals, case.tree)

    assert (found >= 0).all()
    assert (np.diff(found, axis=2) >= 0).all()


@given(cases())
def test_means_that_add_up_stay_as_they_are(case: Case) -> None:
    mean = completed(case)

    found, quantiles = reconcile(mean, case.quantiles, case.residuals, case.tree)

    np.testing.assert_allclose(found, mean, rtol=1e-9)
    np.testing.assert_allclose(quantiles, case.quantiles, rtol=1e-9)


@pytest.mark.slow
@given(cases())
def test_a_second_time_changes_nothing(case: Case) -> None:
    once = coherent_means(case.mean, case.residuals, case.tree)

    np.testing.assert_allclose(
        coherent_means(once, case.residuals, case.tree), once, rtol=1e-9, atol=1e-12
    )


@pytest.mark.slow
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_series_does_not_matter(case: Case, random: object) -> None:
    names = [f"other{i:02d}" for i in range(len(case.tree.series))]
    random.shuffle(names)  # type: ignore[attr-defined]
    new = dict(zip(case.tree.series, names, strict=True))
    parts = {new[name]: tuple(new[part] for part in inner) for name, inner in case.parts.items()}
    tree = tree_of(parts, names)
    order = np.argsort(names)

    found = coherent_means(case.mean[order], case.residuals[order], tree)

    expected = coherent_means(case.mean, case.residuals, case.tree)[order]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * case.mean.max())
