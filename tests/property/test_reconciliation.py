from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.reconciliation import Tree, coherent_means, reconcile, tree_of

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
