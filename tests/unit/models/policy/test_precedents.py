import numpy as np

from features.controls.analogs import LICENCE, Analog
from models.policy.precedents import APRIL_2025, HARDEST, MINERALS, Precedents


def analog(name: str, shares: list[float]) -> Analog:
    ages = np.arange(len(shares)) + 0.5
    return Analog(name, "gallium", LICENCE, ages, np.array(shares), before_months=12)


def test_the_strictest_licensing_recovers_without_a_sawtooth_and_is_never_milder() -> None:
    low = analog("early", [0.4, 0.0, 0.1, 0.5, 0.7, 0.9])
    late = analog("late", [0.9, 0.8, 0.6, 0.4, 0.05, 0.3])
    past = Precedents(None, np.zeros(0), np.ones((2, 0)), 0, (low, late))

    age = np.arange(6) + 0.5
    hardest, minerals = (past.retained(kind, age, 200, 1) for kind in (HARDEST, MINERALS))

    middle = np.median(hardest, axis=0)[0]
    assert (np.diff(middle[1:]) >= 0).all()
    assert (hardest <= minerals).all()
    assert middle[3] <= 0.05
    assert APRIL_2025 not in {HARDEST, MINERALS}
