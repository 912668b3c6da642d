from collections.abc import Mapping

import numpy as np

from models.policy.policy_effect import share_under_tariffs
from tests.data.builders import make_origin, make_tariffs

RISE = {"component": "S1", "rate_pct": 25.0, "effective_from": "2020-10-01"}


def kept(*steps: Mapping[str, object]) -> np.ndarray:
    """Return the median kept of the USA, July 2020 to June 2021."""
    origin = make_origin(tariffs=make_tariffs({}, *steps))
    return np.median(share_under_tariffs(origin, count=10_000), axis=0)[0]


def test_a_flat_rate_keeps_exactly_all() -> None:
    origin = make_origin(tariffs=make_tariffs({}))

    assert (share_under_tariffs(origin, count=10) == 1.0).all()


def test_a_rise_lowers_the_months_it_binds_and_no_others() -> None:
    share = kept(RISE)

    assert (share[:3] == 1.0).all()
    assert (share[3:] < 0.9).all()


def test_the_fall_is_the_elasticity_times_the_burden() -> None:
    expected = (1.271 / 1.021) ** -1.2

    np.testing.assert_allclose(kept(RISE)[3:], expected, rtol=0.02)


def test_a_rise_in_force_is_left_to_the_months_that_feel_it() -> None:
    np.testing.assert_array_equal(kept({**RISE, "effective_from": "2020-06-01"}), 1.0)


def test_a_higher_rise_keeps_less_in_every_draw() -> None:
    origins = [make_origin(tariffs=make_tariffs({}, {**RISE, "rate_pct": r})) for r in (10, 25, 60)]

    low, middle, high = (share_under_tariffs(o, count=200)[:, 0, 3:] for o in origins)

    assert (middle <= low).all()
    assert (high <= middle).all()
