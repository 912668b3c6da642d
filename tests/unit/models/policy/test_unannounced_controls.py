"""A control that nobody has announced begins in as many paths as by the base rate."""

import numpy as np
import pandas as pd
import pytest

from models.policy.policy_effect import effect_at, respond
from store.vocabulary import QUANTILE_COLUMNS, QUANTILES
from tests.data.builders import make_origin
from tests.data.why_builders import halted_analog

RATE = 0.04


def test_as_many_paths_are_hit_by_each_month_as_the_rate_states() -> None:
    origin = make_origin()

    kept = effect_at(origin, (halted_analog(),), rate=RATE, count=4000).retained[:, 0]

    ahead = np.maximum(origin.targets - origin.today, 0)
    np.testing.assert_allclose((kept != 1.0).mean(axis=0), 1.0 - (1.0 - RATE) ** ahead, atol=0.002)
    hit = kept != 1.0
    assert (hit[:, 1:] >= hit[:, :-1]).all()


@pytest.mark.parametrize(("rate", "analogs"), [(0.0, (halted_analog(),)), (RATE, ())])
def test_without_a_rate_or_an_analog_nothing_bears_on_the_forecast(
    rate: float, analogs: tuple[object, ...]
) -> None:
    assert effect_at(make_origin(), analogs, rate=rate).is_none


@pytest.mark.parametrize("name", ["WLD", "EU27"])
def test_the_total_that_no_known_control_reaches_keeps_its_own_band(name: str) -> None:
    origin = make_origin()
    spread = {name: 0.02}
    level = origin.tonnes[:, -1]
    width = np.array([spread.get(one, 0.4) for one in origin.series])
    steps = np.linspace(-1.3, 1.3, len(QUANTILES))
    plain = level[:, None] * np.exp(width[:, None] * steps)
    rows = np.repeat(plain, len(origin.targets), axis=0)
    table = pd.DataFrame(rows, columns=list(QUANTILE_COLUMNS)).assign(mean=1.0)
    effect = effect_at(origin, (halted_analog(),), rate=0.002)

    answer = respond(table, effect, origin)

    found = answer.iloc[(origin.series.index(name) + 1) * len(origin.targets) - 1]
    own = plain[origin.series.index(name)]
    if name != "WLD":
        assert found["p90"] > 1.1 * own[QUANTILES.index(0.9)]
        return
    assert found["p50"] == pytest.approx(own[QUANTILES.index(0.5)], rel=0.01)
    assert found["p90"] == pytest.approx(own[QUANTILES.index(0.9)], rel=0.01)
    assert found["p10"] < own[QUANTILES.index(0.1)]
