import numpy as np

from features.controls.analogs import Analog
from models.policy.response import MOST, ObservedMonths, Response

AGES = np.array([0.5, 1.5, 2.5, 3.5, 6.5, 12.5])


def halted(name: str, *, material: str = "gallium") -> Analog:
    """Nothing for two months, then a slow return."""
    kept = np.array([0.0, 0.0, 0.1, 0.3, 0.7, 1.0])
    return Analog(name, material, "export_control", AGES, kept, 6.0)


def test_curve_follows_the_analogs() -> None:
    response = Response((halted("a"), halted("b"), halted("c")))

    median = np.median(
        response.draws(AGES, instrument="export_control", destinations=3), axis=(0, 1)
    )

    assert median[1] < 0.06
    assert np.all(np.diff(median[1:]) > 0)
    assert median[-1] > 0.5


def test_analogs_narrow_the_band() -> None:
    def depth(*analogs: Analog) -> float:
        """How far the unlucky tenth lies below the median, in logs."""
        drawn = Response(analogs).draws(AGES[2:3], instrument="export_control", destinations=1)
        low, middle = np.quantile(np.log(drawn), [0.1, 0.5])
        return float(middle - low)

    assert depth(halted("a"), halted("b"), halted("c")) < depth(halted("a")) < depth()


def test_own_months_pull_the_curve_to_themselves() -> None:
    response = Response((halted("a"), halted("b")))
    own = ObservedMonths(
        AGES[:2], np.array([0.6, 0.6]), np.array([[0.6, 0.6], [0.1, 0.1]]), np.zeros((2, 2))
    )

    without = response.draws(AGES[2:4], instrument="export_control", destinations=2)
    given = response.draws(AGES[2:4], instrument="export_control", destinations=2, observed=own)

    assert np.median(given[:, 0, 0]) > 2 * np.median(without[:, 0, 0])
    assert np.median(given[:, 1, 0]) < np.median(given[:, 0, 0])


def test_months_before_the_control_keep_all_and_none_keeps_far_more() -> None:
    drawn = Response((halted("a"),)).draws(
        np.array([-0.5, 12.0]), instrument="export_ban", destinations=2
    )

    assert np.all(drawn[:, :, 0] == 1.0)
    assert drawn[:, :, 1].max() <= MOST
    assert drawn.min() >= 0.0
