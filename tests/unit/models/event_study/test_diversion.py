from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import binom

from models.event_study.diversion import Diversion, find_diversion, kept_of_path
from store.errors import DataError
from tests.data.diversion_builders import (
    ACT,
    ASKED,
    FIRST,
    MONTHS,
    NAMES,
    SIZES,
    calm_tonnes,
    flows_of,
    question,
    with_fall,
)

PANELS = 120
RATE = 0.05


def flat() -> np.ndarray:
    return np.repeat(np.array(SIZES)[:, None], MONTHS, axis=1)


def alerted(found: Diversion) -> set[str]:
    return {rise.destination for rise in found.alerts}


def alarms(make: Callable[[int], np.ndarray], panels: int) -> int:
    return sum(
        bool(find_diversion(flows_of(make(seed)), question(), rate=RATE).alerts)
        for seed in range(panels)
    )


def test_a_flat_past_expects_what_it_was_and_the_whole_of_a_diversion_is_found() -> None:
    found = find_diversion(flows_of(with_fall(flat(), diverted=0.5)), question())

    row = found.names.index("VNM")
    (rise,) = [rise for rise in found.alerts if rise.destination == "VNM"]
    np.testing.assert_allclose(found.expected[row], 350.0)
    np.testing.assert_allclose(found.tonnes[row] - found.expected[row], 270.0)
    np.testing.assert_allclose(found.hit_tonnes, 60.0)
    assert (rise.first, rise.last) == (FIRST + ACT, FIRST + MONTHS - 1)
    assert rise.excess == pytest.approx(4 * 270.0)
    assert rise.low < rise.excess < rise.high
    assert alerted(found) == {"VNM"}


def test_the_fall_is_held_against_what_the_others_got() -> None:
    tonnes = with_fall(flat(), part=0.5)
    tonnes[:, ACT:] *= 2.0

    found = find_diversion(flows_of(tonnes), question())

    np.testing.assert_allclose(found.hit_expected, 1200.0)
    np.testing.assert_allclose(found.hit_tonnes, 600.0)


def test_a_fall_alone_moves_no_expectation_though_it_moves_every_share() -> None:
    tonnes = calm_tonnes(1)

    before = find_diversion(flows_of(tonnes), question())
    after = find_diversion(flows_of(with_fall(tonnes)), question())

    np.testing.assert_array_equal(before.expected, after.expected)


@pytest.mark.slow
def test_without_diversion_alarms_are_as_rare_as_promised() -> None:
    count = alarms(lambda seed: with_fall(calm_tonnes(seed)), PANELS)

    low, high = binom.interval(0.99, PANELS, RATE)
    assert low <= count <= high


@pytest.mark.slow
def test_without_a_fall_there_is_hardly_an_alarm() -> None:
    assert alarms(calm_tonnes, 100) <= binom.ppf(0.99, 100, RATE)


@pytest.mark.slow
def test_a_shock_to_everybody_makes_no_more_alarms() -> None:
    def shocked(seed: int) -> np.ndarray:
        tonnes = with_fall(calm_tonnes(seed))
        tonnes[:, ACT:] *= 0.3
        return tonnes

    assert alarms(shocked, 100) <= binom.ppf(0.99, 100, RATE)


def test_a_shock_to_everybody_on_a_flat_past_is_no_rise() -> None:
    tonnes = with_fall(flat())
    tonnes[:, ACT:] *= 0.3

    found = find_diversion(flows_of(tonnes), question())

    assert found.alerts == ()
    np.testing.assert_allclose(found.expected, found.tonnes, rtol=1e-6)


@cache
def diverted() -> tuple[Diversion, ...]:
    """Return what is found of large diversions to Vietnam, by seed."""
    return tuple(
        find_diversion(flows_of(with_fall(calm_tonnes(seed), diverted=0.8)), question())
        for seed in range(40)
    )


@pytest.mark.slow
def test_large_diversions_are_found_at_the_right_destination() -> None:
    assert sum("VNM" in alerted(one) for one in diverted()) >= 34
    assert sum(len(alerted(one) - {"VNM"}) for one in diverted()) <= 6


def test_the_tonnes_found_are_those_diverted() -> None:
    row = diverted()[0].names.index("VNM")
    excess = [(found.tonnes - found.expected)[row].sum() for found in diverted()]
    planted = [0.8 * 0.9 * calm_tonnes(seed)[0, ACT:].sum() for seed in range(40)]

    assert np.median(np.array(excess) / np.array(planted)) == pytest.approx(1.0, abs=0.15)


def test_order_of_destinations_is_of_no_matter() -> None:
    tonnes = with_fall(calm_tonnes(3), diverted=0.6)
    order = [5, 2, 7, 0, 3, 1, 6, 4]

    found = find_diversion(flows_of(tonnes), question())
    mixed = find_diversion(
        flows_of(tonnes[order], names=tuple(NAMES[row] for row in order)), question()
    )

    assert found.names == mixed.names
    assert found.rises == mixed.rises
    np.testing.assert_array_equal(found.p_value, mixed.p_value)
    np.testing.assert_array_equal(found.expected, mixed.expected)


def test_months_after_those_asked_about_change_nothing() -> None:
    tonnes = with_fall(calm_tonnes(4), diverted=0.6)
    asked = replace(question(), end=FIRST + MONTHS - 2)
    poisoned = tonnes.copy()
    poisoned[:, -2:] = 1e9

    found = find_diversion(flows_of(tonnes), asked)
    same = find_diversion(flows_of(poisoned), asked)

    assert found.rises == same.rises
    np.testing.assert_array_equal(found.expected, same.expected)
    np.testing.assert_array_equal(found.p_value, same.p_value)


def test_what_is_only_estimated_makes_no_alert() -> None:
    flows = flows_of(with_fall(calm_tonnes(5), diverted=1.0))
    row = NAMES.index("VNM")
    result = flows.is_published.copy()
    result[row, ACT:] = False

    assert "VNM" in alerted(find_diversion(flows, question()))
    assert "VNM" not in alerted(find_diversion(replace(flows, is_published=result), question()))


def test_an_unsure_cell_weighs_less() -> None:
    flows = flows_of(with_fall(calm_tonnes(5), diverted=1.0))
    stderr = flows.stderr.copy()
    stderr[NAMES.index("VNM"), ACT:] = 0.5

    sure = find_diversion(flows, question())
    unsure = find_diversion(replace(flows, stderr=stderr), question())

    row = sure.names.index("VNM")
    assert unsure.p_value[row].min() > sure.p_value[row].min()
    assert (unsure.high[row] > sure.high[row]).all()


def test_an_alert_while_an_act_on_everybody_is_fresh_is_reported_from_a_sure_one() -> None:
    flows = flows_of(with_fall(calm_tonnes(5), diverted=1.0))

    found = find_diversion(flows, question(troubled=(FIRST + ACT,)))

    assert [rise.is_troubled for rise in found.alerts if rise.destination == "VNM"] == [True]


def test_a_fall_that_did_not_come_makes_no_alert() -> None:
    tonnes = calm_tonnes(5)
    tonnes[NAMES.index("VNM"), ACT:] *= 3.0
    tonnes[0, ACT:] *= 2.0

    assert find_diversion(flows_of(tonnes), question()).alerts == ()


def test_a_missing_cell_is_passed_over() -> None:
    tonnes = with_fall(calm_tonnes(5), diverted=1.0)
    tonnes[NAMES.index("VNM"), ACT + 1] = np.nan
    tonnes[NAMES.index("DEU"), 40] = np.nan

    assert "VNM" in alerted(find_diversion(flows_of(tonnes), question()))


def test_a_destination_that_never_got_anything_may_begin() -> None:
    tonnes = with_fall(calm_tonnes(5))
    tonnes[NAMES.index("THA"), :ACT] = 0.0
    tonnes[NAMES.index("THA"), ACT:] = 200.0

    assert "THA" in alerted(find_diversion(flows_of(tonnes), question()))


def test_too_short_a_past_is_refused() -> None:
    tonnes = calm_tonnes(6)[:, -40:]
    short = replace(flows_of(tonnes), first=FIRST + MONTHS - 40)

    with pytest.raises(DataError, match="the history is too short"):
        find_diversion(short, question())


def test_an_act_on_nearly_everybody_is_refused() -> None:
    with pytest.raises(DataError, match="nothing to divert to"):
        find_diversion(flows_of(calm_tonnes(6)), question(hit=frozenset(NAMES[:6])))


def test_months_that_are_not_known_yet_are_refused() -> None:
    later = replace(question(), start=FIRST + MONTHS, end=FIRST + MONTHS + 1)

    with pytest.raises(DataError, match=r"Nothing is known of 2025-01 yet"):
        find_diversion(flows_of(calm_tonnes(6)), later)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.05, 5.0, float("nan")])
def test_a_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(DataError, match="no share of episodes"):
        find_diversion(flows_of(calm_tonnes(6)), question(), rate=rate)


def test_what_each_destination_kept_of_its_own_path_is_reported_least_first() -> None:
    tonnes = flat()
    tonnes[:, ACT:] *= np.linspace(0.1, 0.8, len(NAMES))[:, None]
    start = FIRST + ACT

    kept = kept_of_path(flows_of(tonnes), base_end=start, start=start, end=start + ASKED)

    assert [name for name, _ in kept] == list(NAMES)
    np.testing.assert_allclose([part for _, part in kept], np.linspace(0.1, 0.8, len(NAMES)))
