import numpy as np
import pytest

from features.statistical.seasonality import season_profiles
from store.arrays import Floats

NAN = float("nan")
WAVE = 1.0 + 0.4 * np.sin(np.arange(12) * np.pi / 6.0)


def panel(count: int, months: int, *, pattern: Floats = WAVE, noise: float = 0.1) -> Floats:
    rng = np.random.default_rng(7)
    level = 100.0 * rng.lognormal(0.0, 1.0, (count, 1))
    return level * pattern[np.arange(months) % 12] * rng.lognormal(0.0, noise, (count, months))


def test_a_panel_under_two_years_has_no_season() -> None:
    assert season_profiles(panel(3, 23)).tolist() == np.ones((3, 12)).tolist()


def test_a_pattern_without_noise_is_found_whole() -> None:
    found = season_profiles(panel(1, 60, noise=0.0))

    np.testing.assert_allclose(found[0], WAVE, rtol=1e-9)


def test_a_trend_is_no_season() -> None:
    values = 100.0 + 2.0 * np.arange(72.0)[None, :]

    np.testing.assert_allclose(season_profiles(values), 1.0, atol=0.01)


def test_noise_alone_is_shrunk_to_next_to_nothing() -> None:
    values = panel(200, 120, pattern=np.ones(12), noise=0.3)

    found = season_profiles(values)

    np.testing.assert_allclose(np.abs(found - 1.0).mean(), 0.0, atol=0.03)


def test_a_noisy_series_leans_on_the_panel() -> None:
    values = panel(40, 60, noise=0.1)
    values[0] = panel(1, 60, noise=0.8)

    alone, together = season_profiles(values[:1])[0], season_profiles(values)[0]

    assert np.abs(together - WAVE).max() < np.abs(alone - WAVE).max()


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param(10, WAVE, id="the panel's profile where ten series have one"),
        pytest.param(9, np.ones(12), id="ones where fewer have one"),
    ],
)
def test_a_series_without_a_whole_year_gets(others: int, expected: Floats) -> None:
    values = np.vstack([panel(others, 60, noise=0.0), np.full((2, 60), NAN)])
    values[-1, -20:] = 5.0

    found = season_profiles(values)[-2:]

    np.testing.assert_allclose(found, np.vstack([expected] * 2), rtol=1e-9)


def test_gaps_and_a_late_start_leave_the_pattern_as_it_is() -> None:
    values = panel(1, 96, noise=0.0)
    values[0, :20] = NAN
    values[0, [40, 63]] = NAN

    np.testing.assert_allclose(season_profiles(values)[0], WAVE, atol=0.03)
