"""A control that nobody has announced begins in as many paths as the base rate says."""

import numpy as np
import pytest

from models.policy.policy_effect import effect_of
from tests.data.builders import make_origin
from tests.data.why_builders import halted_analog

RATE = 0.04


def test_as_many_paths_are_hit_by_each_month_as_the_rate_says() -> None:
    origin = make_origin()

    kept = effect_of(origin, (), (halted_analog(),), rate=RATE, count=4000).kept[:, 0]

    ahead = np.maximum(origin.targets - origin.today, 0)
    np.testing.assert_allclose((kept != 1.0).mean(axis=0), 1.0 - (1.0 - RATE) ** ahead, atol=0.002)
    hit = kept != 1.0
    assert (hit[:, 1:] >= hit[:, :-1]).all()


@pytest.mark.parametrize(("rate", "analogs"), [(0.0, (halted_analog(),)), (RATE, ())])
def test_without_a_rate_or_an_analog_nothing_bears_on_the_forecast(
    rate: float, analogs: tuple[object, ...]
) -> None:
    assert effect_of(make_origin(), (), analogs, rate=rate).is_none
