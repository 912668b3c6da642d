import numpy as np
import pandas as pd
import pytest

from features.controls.analogs import analogs_at
from tests.data.builders import at, bundled_world


def test_gallium_kept_nothing_for_two_months_after_its_licence_duty() -> None:
    world = bundled_world()

    found = {a.event_id: a for a in analogs_at(*facts(world), as_of=at("2024-01-25"))}

    gallium = found["2023-07-cn-no23-ga"]
    assert gallium.instrument == "export_control"
    np.testing.assert_allclose(gallium.age, [0.493, 1.511, 2.497, 3.515], atol=0.001)
    np.testing.assert_allclose(gallium.retained, [0.0, 0.0, 0.055, 0.337], atol=0.001)


def test_months_published_later_do_not_count() -> None:
    early = analogs_at(*facts(bundled_world()), as_of=at("2023-09-21"))

    assert [(a.material, len(a.age)) for a in early] == [("gallium", 1), ("germanium", 1)]


@pytest.mark.parametrize("day", ["2024-01-25", "2025-04-10"])
def test_facts_of_later_change_no_analog(day: str) -> None:
    world = bundled_world()
    events, figures = facts(world)
    known = [f.loc[f["available_at"] <= at(day)] for f in (events, figures)]

    result = analogs_at(events, figures, as_of=at(day))

    expected = analogs_at(known[0], known[1], as_of=at(day))
    assert [a.event_id for a in result] == [a.event_id for a in expected]
    for one, other in zip(result, expected, strict=True):
        np.testing.assert_array_equal(one.retained, other.retained)


def facts(world: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    return world.analog_events, world.observations
