from dataclasses import replace

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.learning.parameters import PANEL_PRESET
from store.arrays import Floats
from tests.data.engine_builders import Forecasts, make_engine, said_of
from tests.examples import few

SPEC = replace(
    PANEL_PRESET,
    pairs=120,
    rows=400,
    num_iterations=2,
    num_leaves=4,
    min_data_in_leaf=20,
    threads=1,
)
VALUE = st.one_of(st.just(float("nan")), st.just(0.0), st.floats(0.01, 1e4, allow_subnormal=False))
PANELS = st.tuples(st.integers(2, 12), st.integers(14, 40)).flatmap(
    lambda shape: hnp.arrays(float, shape, elements=VALUE)
)
HORIZON = st.integers(1, 14)
quick = few(15)


def forecast(values: Floats, horizon: int, *, last: int | None = None) -> Forecasts | None:
    at = values.shape[1] - 1 if last is None else last
    engine = make_engine(values, last=at, horizon=horizon, parameters=SPEC)
    return said_of(engine) if engine.chunks() else None


@quick
@given(values=PANELS, horizon=HORIZON)
def test_quantiles_are_in_order_and_no_month_is_below_zero(values: Floats, horizon: int) -> None:
    """A mean may lie above the highest quantile: one month of two years has a size, the rest 0."""
    found = forecast(values, horizon)

    assume(found is not None)
    assert np.isfinite(found.tonnes).all()
    assert (found.tonnes >= 0).all()
    assert (np.diff(found.tonnes, axis=2) >= 0).all()
    assert (found.tonnes[:, :, 0] <= found.mean * (1 + 1e-12)).all()


@quick
@given(
    values=PANELS, horizon=HORIZON, share=st.floats(0.3, 1.0), poison=st.sampled_from([-1e9, 1e9])
)
def test_months_after_the_cutoff_do_not_count(
    values: Floats, horizon: int, share: float, poison: float
) -> None:
    last = int(share * (values.shape[1] - 1))
    poisoned = np.where(np.arange(values.shape[1]) <= last, values, poison)

    honest, wild = (forecast(table, horizon, last=last) for table in (values, poisoned))

    assert (honest is None) == (wild is None)
    if honest is not None and wild is not None:
        np.testing.assert_array_equal(wild.tonnes, honest.tonnes)
