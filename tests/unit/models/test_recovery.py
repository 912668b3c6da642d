import numpy as np

from models.recovery import LONGEST, recovery_of
from models.response import OwnMonths, Response
from tests.data.scenario_builders import AGES, halted

CONTROL = "export_control"


def test_months_until_most_is_back_follow_the_analogs() -> None:
    quick, slow = (
        recovery_of(
            Response(tuple(halted(f"{name}{k}", kept=k) for name in "abc")), instrument=CONTROL
        )
        for k in (2.5, 0.7)
    )

    assert 4 <= quick.p50 <= 9
    assert slow.p50 > quick.p50
    assert quick.p10 <= quick.p50 <= quick.p90
    assert slow.chance_not > quick.chance_not


def test_own_months_move_it() -> None:
    response = Response((halted("a"), halted("b")))
    fast = np.array([0.1, 0.6, 1.0, 1.1])
    own = OwnMonths(AGES[:4], fast, fast[None, :], np.zeros((1, 4)))

    seen = recovery_of(response, instrument=CONTROL, own=own)

    assert seen.p50 <= 4
    assert seen.p50 < recovery_of(response, instrument=CONTROL).p50


def test_never_back_is_said_so() -> None:
    stopped = tuple(halted(name, kept=0.05) for name in "abcd")

    found = recovery_of(Response(stopped), instrument=CONTROL)

    assert found.chance_not > 0.3
    assert f"over {LONGEST}" in found.words
