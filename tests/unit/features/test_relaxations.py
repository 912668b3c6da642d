from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from features.controls.analogs import MAGNET_MATERIAL, magnet_analogs
from features.controls.controls import Control, controls_at, levels_without, relaxations_at
from features.origin import Origin
from tests.data.builders import make_bare, make_events, make_origin

FELT = {"event_id": "felt", "effective_from": "2020-04-04"}
RELAXED = {
    "event_id": "relaxed", "instrument": "export_licence_relaxation", "direction": "easing",
    "announced_on": "2020-06-20", "effective_from": "2020-08-01",
}  # fmt: skip


def relaxations(*acts: Mapping[str, object]) -> tuple[Control, ...]:
    origin = make_origin(events=make_events(*acts))
    return relaxations_at(origin, controls_at(origin))


def fallen(*acts: Mapping[str, object]) -> Origin:
    """An origin whose last three months kept three tenths."""
    origin = make_origin(events=make_events(*acts))
    tonnes = origin.tonnes.copy()
    tonnes[:, -3:] *= 0.3
    return replace(origin, tonnes=tonnes)


def test_a_relaxation_to_come_frees_in_part() -> None:
    (easing,) = relaxations(FELT, RELAXED)

    assert easing.event_id == "relaxed"
    assert 0 < easing.share < 1
    assert easing.hit.all()


def test_without_events_nothing_is_relaxed() -> None:
    assert relaxations_at(make_bare({"A": [1.0] * 12}), ()) == ()
    assert relaxations() == ()


def test_an_end_to_come_frees_wholly() -> None:
    (easing,) = relaxations({**FELT, "effective_to": "2020-09-30"})

    assert (easing.event_id, easing.share) == ("felt", 1.0)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"effective_from": "2020-06-15"}, id="felt already"),
        pytest.param({"effective_from": "2022-01-01"}, id="after the last target"),
        pytest.param({"direction": "neutral"}, id="not easing"),
        pytest.param({"effective_from": None}, id="not dated"),
    ],
)
def test_what_eases_no_month_ahead_is_none(change: Mapping[str, object]) -> None:
    assert relaxations(FELT, {**RELAXED, **change}) == ()


def test_the_level_without_is_that_before_the_control() -> None:
    origin = fallen(FELT)

    levels = levels_without(origin, controls_at(origin))

    np.testing.assert_allclose(levels[0], origin.tonnes[0, 0], rtol=0.05)
    assert (levels[list(origin.is_sum)] == 0).all()


def test_a_felt_control_is_an_analog_of_the_next() -> None:
    origin = fallen(FELT)

    (analog,) = magnet_analogs(origin, controls_at(origin))

    said = (analog.event_id, analog.material, analog.instrument)
    assert said == ("felt", MAGNET_MATERIAL, "export_control")
    np.testing.assert_allclose(analog.retained, 0.3, rtol=0.05)
    assert len(analog.age) == 3
