import numpy as np
import pytest

from models.engine.series_stats import panel_momentum, series_stats
from models.engine.training_set import PastOrigins
from store.arrays import Floats, take
from tests.data.engine_builders import make_values

NAN = float("nan")
FIELDS = ("season", "level", "spread", "scale", "momentum", "known", "current")


def gapped(values: Floats) -> Floats:
    """Series with gaps, that start late, that have ended, that are still or empty."""
    found = values.copy()
    found[:5, ::7] = NAN
    found[5:10, :33] = NAN
    found[10, ::2] = NAN
    found[11, -14:] = 0.0
    found[12, -30:-2] = 0.0
    found[13] = 0.0
    found[14] = NAN
    found[15] = 7.0
    return found


PANELS = {
    "whole": make_values(series=30),
    "gaps": gapped(make_values(series=30)),
    "one gapped": gapped(make_values(series=30))[[0, 20, 21]],
    "two": make_values(series=2),
    "alone": make_values(series=1),
}


@pytest.mark.parametrize("origin", [12, 22, 23, 24, 25, 37, 58])
@pytest.mark.parametrize("name", PANELS)
def test_an_origin_is_bit_for_bit_what_its_own_months_say(name: str, origin: int) -> None:
    values = PANELS[name]

    found = PastOrigins(values, 58).at(origin)

    whole = series_stats(values[:, : origin + 1])
    rows = np.arange(0, len(values), 3)
    own, expected = found.stats(rows), take(whole, rows)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(own, field), getattr(expected, field))
    assert found.common.momentum == panel_momentum(whole.momentum)
    able = whole.current & (whole.scale > 0) & (whole.spread > 0)
    assert found.able.tolist() == able.tolist()


def test_an_origin_does_not_see_what_comes_after_it() -> None:
    values = make_values(series=12)
    poisoned = values.copy()
    poisoned[:, 41:] = 1e12

    honest, wild = (PastOrigins(table, 58).at(40) for table in (values, poisoned))

    np.testing.assert_array_equal(honest.season, wild.season)
    assert honest.common.momentum == wild.common.momentum
