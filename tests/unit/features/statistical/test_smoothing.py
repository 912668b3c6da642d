import numpy as np
import pytest

from features.statistical.smoothing import STEADY, SWIFT, SeriesBlock, SmoothingWeights, seasonal
from store.arrays import Floats

FLAT = np.ones((12, 1))


def ahead(
    pace: SmoothingWeights, row: list[float], *, horizon: int = 6, season: Floats = FLAT
) -> Floats:
    """Return what is said of the months after those of one series."""
    return seasonal(SeriesBlock.of(np.array([row])), season, horizon, pace=pace)[:, 0]


def test_a_lump_moves_a_steady_series_only_a_little() -> None:
    calm = [100.0, 104.0, 97.0, 101.0] * 10

    lumped = ahead(STEADY, [*calm[:-1], 2_000.0])

    assert lumped == pytest.approx(ahead(STEADY, calm), rel=0.15)


def test_a_lasting_break_is_followed_sooner_at_a_swift_pace() -> None:
    row = [100.0, 104.0, 97.0, 101.0] * 10 + [300.0, 310.0, 290.0] * 3

    slow, fast = ahead(STEADY, row, horizon=1)[0], ahead(SWIFT, row, horizon=1)[0]

    assert slow < 0.8 * fast
    assert fast == pytest.approx(300.0, rel=0.1)


def test_a_swift_trend_goes_on_and_slows_down() -> None:
    row = [100.0 * 1.03**month for month in range(60)]

    result = ahead(SWIFT, row, horizon=12)

    steps = np.diff(np.log(np.r_[row[-1], result]))
    assert (steps > 0).all()
    assert (np.diff(steps[1:]) < 0).all()
    assert result[0] == pytest.approx(row[-1] * 1.03, rel=0.02)


@pytest.mark.parametrize("pace", [STEADY, SWIFT], ids=["steady", "swift"])
class TestEachPace:
    def test_stays_at_a_constant(self, pace: SmoothingWeights) -> None:
        assert ahead(pace, [7.0] * 40) == pytest.approx([7.0] * 6)

    def test_keeps_the_season_it_is_given(self, pace: SmoothingWeights) -> None:
        season = 1.0 + 0.3 * np.sin(np.arange(12) * np.pi / 6)[:, None]
        row = [100.0 * season[month % 12, 0] for month in range(40)]

        result = ahead(pace, row, season=season)

        expected = [100.0 * season[month % 12, 0] for month in range(40, 46)]
        assert result == pytest.approx(expected, rel=0.05)
