from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.controls.levers import with_levers
from features.origin import Origin
from features.track_record import TrackRecord
from flows.publishing.forecast_explanation import announced_at
from models.policy.policy_effect import share_under_tariffs
from store.schema.scenario import Scenario, ScenarioTariff
from tests.data.builders import at, make_events, make_origin, make_tariffs

DAY = pd.Timestamp("2020-07-15")
DUE = pd.Timestamp("2020-10-01")
RISE = {
    "component": "S1", "rate_pct": 60.0, "announced_on": "2020-06-20",
    "effective_from": "2020-10-01",
}  # fmt: skip


def origin_with(**rise: object) -> Origin:
    record = TrackRecord(at("2020-07-15"), (make_events({"direction": "neutral"}),))
    return replace(make_origin(tariffs=make_tariffs({}, {**RISE, **rise})), record=record)


def kept(origin: Origin) -> np.ndarray:
    """Return the median kept of the USA, July 2020 to June 2021."""
    return np.median(share_under_tariffs(origin, count=400), axis=0)[0]


@pytest.mark.parametrize("until", ["", "2021-03-31"])
def test_an_announced_rise_states_who_charges_what_before_and_until_when(until: str) -> None:
    (found,) = announced_at(origin_with(effective_to=until or None))

    assert (found.importer, found.due, found.destinations) == ("USA", "2020-10-01", ("USA",))
    assert (found.rate_before_pct, found.until) == (2.1, until)


def test_at_the_rate_before_a_rise_does_not_come_or_comes_later() -> None:
    origin = origin_with()
    (rise,) = announced_at(origin)

    def then(end: pd.Timestamp | None) -> np.ndarray:
        step = ScenarioTariff(
            importer=rise.importer,
            rate_pct=rise.rate_before_pct,
            announced_on=DAY,
            effective_from=DUE,
            effective_to=end,
        )
        return kept(with_levers(origin, Scenario(name="n", tariffs=[step])))

    never, late = then(None), then(pd.Timestamp("2020-10-31"))

    assert kept(origin)[3] < 0.9
    np.testing.assert_array_equal(never, 1.0)
    assert late[3] == 1.0
    assert late[4] < 0.9
