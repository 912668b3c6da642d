"""What holds of every base forecast whatever the series: units, order, time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from features.statistical.base_forecasts import BASE_FORECASTS
from features.statistical.seasonality import season_profiles
from features.statistical.smoothing import errors_within
from store.arrays import Floats
from tests.examples import few

# Two series at least: numpy adds up a single column in another order than many.
SERIES = st.integers(2, 4)
MONTHS = st.integers(1, 40)
VALUE = st.one_of(st.just(float("nan")), st.just(0.0), st.floats(0.01, 1e4, allow_subnormal=False))
PANELS = st.tuples(SERIES, MONTHS).flatmap(lambda shape: hnp.arrays(float, shape, elements=VALUE))
quick = few(25)


def fit(name: str, values: Floats) -> Floats:
    return BASE_FORECASTS[name](values, season_profiles(values), 14)


@pytest.mark.parametrize("name", BASE_FORECASTS)
class TestEveryBaseForecast:
    @quick
    @given(values=PANELS)
    def test_states_a_number_of_at_least_zero_wherever_anything_is_known(
        self, name: str, values: Floats
    ) -> None:
        fitted = fit(name, values)

        is_known = np.isfinite(values).any(axis=1)
        assert np.isfinite(fitted[is_known]).all()
        assert (fitted[is_known] >= 0).all()
        assert np.isnan(fitted[~is_known]).all()

    # A power of two changes no digit; with any other factor two points of a grid that do exactly
    # as well may change places.
    @quick
    @given(values=PANELS, power=st.integers(-30, 30))
    def test_speaks_in_the_unit_of_the_values(self, name: str, values: Floats, power: int) -> None:
        fitted, scaled = fit(name, values), fit(name, values * 2.0**power)

        np.testing.assert_allclose(scaled, fitted * 2.0**power, rtol=1e-12)

    @quick
    @given(values=PANELS, share=st.floats(0.0, 1.0))
    def test_months_after_the_last_one_given_do_not_count(
        self, name: str, values: Floats, share: float
    ) -> None:
        months = 1 + int(share * (values.shape[1] - 1))
        poisoned = np.where(np.arange(values.shape[1]) < months, values, -1e9)

        honest, wild = (fit(name, table[:, :months]) for table in (values, poisoned))

        np.testing.assert_array_equal(honest, wild)


@quick
@given(values=PANELS, power=st.integers(-30, 30))
def test_errors_within_are_in_the_unit_of_the_values(values: Floats, power: int) -> None:
    errors, scaled = (
        errors_within(table, season_profiles(table)) for table in (values, values * 2.0**power)
    )

    unit = 2.0**power
    np.testing.assert_allclose(scaled, errors * unit, rtol=1e-9, atol=1e-9 * unit)
